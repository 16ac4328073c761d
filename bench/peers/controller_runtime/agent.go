package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"k8s.io/apimachinery/pkg/util/uuid"
)

const (
	orderSeconds   = 900
	requestSeconds = 60
	answerLimit    = 1 << 20
)

var final = map[string]bool{
	"activated": true, "rolled_back": true, "rejected": true, "aborted": true, "expired": true,
}

// Agents speaks the order protocol: requests and orders are signed, and the proof of every answer
// is checked.
type Agents struct {
	key   ed25519.PrivateKey
	kid   string
	epoch int
	http  *http.Client
}

// Agent is whom a request is for.
type Agent struct {
	id, url string
	key     ed25519.PublicKey
}

// Report is where an order stands at its agent.
type Report struct {
	TaskID      string `json:"taskId"`
	State       string `json:"state"`
	Message     string `json:"message"`
	RunningHash string `json:"runningHash"`
}

func newAgents(keyFile string, epoch int) (*Agents, error) {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM file", keyFile)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no Ed25519 key", keyFile)
	}
	digest := sha256.Sum256(key.Public().(ed25519.PublicKey))
	client := &http.Client{
		Timeout: 5 * time.Second,
		// Every agent is a host of its own.
		Transport: &http.Transport{MaxIdleConns: 0, IdleConnTimeout: 90 * time.Second},
	}
	return &Agents{key, hex.EncodeToString(digest[:])[:16], epoch, client}, nil
}

func agentOf(instance *Instance) (*Agent, error) {
	key, err := base64.StdEncoding.DecodeString(instance.Status.AgentPublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("instance %s has no agent's key", instance.Name)
	}
	return &Agent{instance.Spec.ID, instance.Status.AgentURL, key}, nil
}

// Order sends an order; sent again, it is answered with where it stands.
func (a *Agents) Order(ctx context.Context, agent *Agent, taskID string, bundle *Bundle) (*Report, error) {
	now := time.Now().Unix()
	order, err := a.sign("hc-order+jwt", jwt.MapClaims{
		"iss": "hydracore", "aud": agent.id, "jti": taskID, "iat": now, "exp": now + orderSeconds,
		"kind": "install", "epoch": a.epoch, "force": false,
		"slug": bundle.Spec.Slug, "version": bundle.Spec.Version,
		"sha256": bundle.Spec.Artifact.SHA256, "sizeBytes": bundle.Spec.Artifact.SizeBytes,
		"keyId": bundle.Spec.Signature.KeyID, "signature": bundle.Spec.Signature.Value,
		"url": "http://127.0.0.1/agent/v1/bundles/" + bundle.Spec.Artifact.SHA256,
	})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"order": order})
	if err != nil {
		return nil, err
	}
	return a.ask(ctx, agent, http.MethodPost, "/api/orders", body)
}

// Task asks what became of an order.
func (a *Agents) Task(ctx context.Context, agent *Agent, taskID string) (*Report, error) {
	return a.ask(ctx, agent, http.MethodGet, "/api/orders/"+taskID, nil)
}

func (a *Agents) ask(ctx context.Context, agent *Agent, method, path string, body []byte) (*Report, error) {
	now, nonce := time.Now().Unix(), string(uuid.NewUUID())
	token, err := a.sign("hc-control+jwt", jwt.MapClaims{
		"iss": "hydracore", "aud": agent.id, "sub": "operator", "iat": now,
		"exp": now + requestSeconds, "jti": nonce,
	})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, agent.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return nil, err
	}
	if err := proven(answer.Header.Get("X-Hydracore-Proof"), agent, nonce, data); err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("agent %s answered %d: %s", agent.id, answer.StatusCode, data)
	}
	report := &Report{}
	return report, json.Unmarshal(data, report)
}

func (a *Agents) sign(typ string, claims jwt.MapClaims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"], token.Header["kid"] = typ, a.kid
	return token.SignedString(a.key)
}

func proven(proof string, agent *Agent, nonce string, data []byte) error {
	claims := jwt.MapClaims{}
	key := func(*jwt.Token) (any, error) { return agent.key, nil }
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(proof, claims, key); err != nil {
		return fmt.Errorf("the answer of agent %s is not proven: %w", agent.id, err)
	}
	digest := sha256.Sum256(data)
	if claims["iss"] != agent.id || claims["nonce"] != nonce ||
		claims["sha256"] != hex.EncodeToString(digest[:]) {
		return errors.New("the answer's proof is another's, or for another request")
	}
	return nil
}
