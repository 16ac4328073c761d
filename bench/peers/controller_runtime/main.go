// Command controller_runtime does HydraCore's rollout as a controller that is made as the
// kubebuilder book advises: a cached client, a work queue for each kind, status patches.
//
//	controller_runtime JOB.json
//
// It says "ready" when its caches are, and ends with its standard input.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// Job is what the harness says; see bench/peers/job.py.
type Job struct {
	Kubeconfig string  `json:"kubeconfig"`
	Tenant     string  `json:"tenant"`
	Namespace  string  `json:"namespace"`
	Limit      int     `json:"limit"`
	AskSeconds float64 `json:"askSeconds"`
	Epoch      int     `json:"epoch"`
	KeyFile    string  `json:"keyFile"`
}

func (j *Job) ask() time.Duration {
	return time.Duration(j.AskSeconds * float64(time.Second))
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	ctrl.SetLogger(zap.New())
	job := &Job{}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, job); err != nil {
		return err
	}
	mgr, err := newManager(job)
	if err != nil {
		return err
	}
	agents, err := newAgents(job.KeyFile, job.Epoch)
	if err != nil {
		return err
	}
	if err := (&RolloutReconciler{Client: mgr.GetClient(), job: job}).SetupWithManager(mgr); err != nil {
		return err
	}
	targets := &TargetReconciler{Client: mgr.GetClient(), job: job, agents: agents}
	if err := targets.SetupWithManager(mgr); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctrl.SetupSignalHandler())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return mgr.Start(ctx)
}

func newManager(job *Job) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	addToScheme(scheme)
	config, err := clientcmd.BuildConfigFromFlags("", job.Kubeconfig)
	if err != nil {
		return nil, err
	}
	// As ctrl.GetConfig does: no limit of its own, since the API server has priority and fairness.
	config.QPS = -1
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: "0"},
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{job.Namespace: {}, job.Tenant: {}},
		},
	})
	if err != nil {
		return nil, err
	}
	// Runnables start once the caches have synced. The informers that reconciles read from are
	// asked for here, so that the first reconcile does not wait for them.
	return mgr, mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if _, err := mgr.GetCache().GetInformer(ctx, &Instance{}); err != nil {
			return err
		}
		if _, err := mgr.GetCache().GetInformer(ctx, &Bundle{}); err != nil {
			return err
		}
		fmt.Println("ready")
		return nil
	}))
}
