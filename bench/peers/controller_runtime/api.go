package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// groupVersion is that of HydraCore's definitions; the types below have the fields that this
// controller needs of them.
var groupVersion = schema.GroupVersion{Group: "hydracore.io", Version: "v1alpha1"}

type BundleSpec struct {
	Slug     string `json:"slug"`
	Version  string `json:"version"`
	Artifact struct {
		SHA256    string `json:"sha256"`
		SizeBytes int64  `json:"sizeBytes"`
	} `json:"artifact"`
	Signature struct {
		KeyID string `json:"keyId"`
		Value string `json:"value"`
	} `json:"signature"`
}

type Bundle struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              BundleSpec `json:"spec"`
}

type Instance struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              struct {
		ID string `json:"id"`
	} `json:"spec"`
	Status struct {
		AgentURL       string `json:"agentUrl,omitempty"`
		AgentPublicKey string `json:"agentPublicKey,omitempty"`
	} `json:"status,omitempty"`
}

type RolloutSpec struct {
	BundleName string `json:"bundleName"`
}

type Counts struct {
	Total      int `json:"total"`
	Queued     int `json:"queued"`
	InProgress int `json:"inProgress"`
	Succeeded  int `json:"succeeded"`
	Failed     int `json:"failed"`
}

type RolloutStatus struct {
	State          string             `json:"state,omitempty"`
	Counts         *Counts            `json:"counts,omitempty"`
	TargetsCreated bool               `json:"targetsCreated,omitempty"`
	StartedAt      *metav1.Time       `json:"startedAt,omitempty"`
	CompletedAt    *metav1.Time       `json:"completedAt,omitempty"`
	Conditions     []metav1.Condition `json:"conditions,omitempty"`
}

type Rollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              RolloutSpec   `json:"spec"`
	Status            RolloutStatus `json:"status,omitempty"`
}

type RolloutTargetSpec struct {
	RolloutName  string `json:"rolloutName"`
	InstanceName string `json:"instanceName"`
	InstanceID   string `json:"instanceId"`
	BundleHash   string `json:"bundleHash"`
	Order        int    `json:"order"`
}

type RolloutTargetStatus struct {
	State            string             `json:"state,omitempty"`
	Attempt          int                `json:"attempt,omitempty"`
	TaskID           string             `json:"taskId,omitempty"`
	StartedAt        *metav1.Time       `json:"startedAt,omitempty"`
	CompletedAt      *metav1.Time       `json:"completedAt,omitempty"`
	LastResultStatus string             `json:"lastResultStatus,omitempty"`
	ErrorMessage     string             `json:"errorMessage,omitempty"`
	Conditions       []metav1.Condition `json:"conditions,omitempty"`
}

type RolloutTarget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              RolloutTargetSpec   `json:"spec"`
	Status            RolloutTargetStatus `json:"status,omitempty"`
}

type list[T any] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []T `json:"items"`
}

type (
	BundleList        list[Bundle]
	InstanceList      list[Instance]
	RolloutList       list[Rollout]
	RolloutTargetList list[RolloutTarget]
)

func addToScheme(scheme *runtime.Scheme) {
	scheme.AddKnownTypes(groupVersion,
		&Bundle{}, &BundleList{}, &Instance{}, &InstanceList{},
		&Rollout{}, &RolloutList{}, &RolloutTarget{}, &RolloutTargetList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
}
