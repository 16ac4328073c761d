package main

// What controller-gen would write for the types of api.go.

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func copyConditions(in []metav1.Condition) []metav1.Condition {
	if in == nil {
		return nil
	}
	out := make([]metav1.Condition, len(in))
	for i := range in {
		in[i].DeepCopyInto(&out[i])
	}
	return out
}

func (in *Bundle) deepCopy() *Bundle {
	out := *in
	out.ObjectMeta = *in.ObjectMeta.DeepCopy()
	return &out
}

func (in *Instance) deepCopy() *Instance {
	out := *in
	out.ObjectMeta = *in.ObjectMeta.DeepCopy()
	return &out
}

func (in *Rollout) deepCopy() *Rollout {
	out := *in
	out.ObjectMeta = *in.ObjectMeta.DeepCopy()
	if in.Status.Counts != nil {
		counts := *in.Status.Counts
		out.Status.Counts = &counts
	}
	out.Status.StartedAt = in.Status.StartedAt.DeepCopy()
	out.Status.CompletedAt = in.Status.CompletedAt.DeepCopy()
	out.Status.Conditions = copyConditions(in.Status.Conditions)
	return &out
}

func (in *RolloutTarget) deepCopy() *RolloutTarget {
	out := *in
	out.ObjectMeta = *in.ObjectMeta.DeepCopy()
	out.Status.StartedAt = in.Status.StartedAt.DeepCopy()
	out.Status.CompletedAt = in.Status.CompletedAt.DeepCopy()
	out.Status.Conditions = copyConditions(in.Status.Conditions)
	return &out
}

func (in *Bundle) DeepCopyObject() runtime.Object        { return in.deepCopy() }
func (in *Instance) DeepCopyObject() runtime.Object      { return in.deepCopy() }
func (in *Rollout) DeepCopyObject() runtime.Object       { return in.deepCopy() }
func (in *RolloutTarget) DeepCopyObject() runtime.Object { return in.deepCopy() }

func copyItems[T any](in []T, deepCopy func(*T) *T) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i := range in {
		out[i] = *deepCopy(&in[i])
	}
	return out
}

func (in *BundleList) DeepCopyObject() runtime.Object {
	return &BundleList{in.TypeMeta, *in.ListMeta.DeepCopy(), copyItems(in.Items, (*Bundle).deepCopy)}
}

func (in *InstanceList) DeepCopyObject() runtime.Object {
	return &InstanceList{in.TypeMeta, *in.ListMeta.DeepCopy(), copyItems(in.Items, (*Instance).deepCopy)}
}

func (in *RolloutList) DeepCopyObject() runtime.Object {
	return &RolloutList{in.TypeMeta, *in.ListMeta.DeepCopy(), copyItems(in.Items, (*Rollout).deepCopy)}
}

func (in *RolloutTargetList) DeepCopyObject() runtime.Object {
	return &RolloutTargetList{
		in.TypeMeta, *in.ListMeta.DeepCopy(), copyItems(in.Items, (*RolloutTarget).deepCopy),
	}
}
