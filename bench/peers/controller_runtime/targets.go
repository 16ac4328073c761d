package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// TargetReconciler takes one RolloutTarget from queued to its end. As many run at once as orders
// may be in flight: a reconcile holds its worker until the agent has ended.
type TargetReconciler struct {
	client.Client
	job    *Job
	agents *Agents
}

func (r *TargetReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&RolloutTarget{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.job.Limit}).
		Complete(r)
}

func (r *TargetReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	target := &RolloutTarget{}
	if err := r.Get(ctx, req.NamespacedName, target); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if target.Status.State == "succeeded" || target.Status.State == "failed" {
		return ctrl.Result{}, nil
	}
	agent, bundle, err := r.read(ctx, target)
	if err != nil {
		return ctrl.Result{}, err
	}
	if target.Status.State != "in_progress" {
		if err := r.begin(ctx, target); err != nil {
			return ctrl.Result{}, err
		}
	}
	report, err := r.push(ctx, agent, target.Status.TaskID, bundle)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.end(ctx, target, report, bundle)
}

func (r *TargetReconciler) read(ctx context.Context, target *RolloutTarget) (*Agent, *Bundle, error) {
	rollout, bundle, instance := &Rollout{}, &Bundle{}, &Instance{}
	name := types.NamespacedName{Namespace: target.Namespace, Name: target.Spec.RolloutName}
	if err := r.Get(ctx, name, rollout); err != nil {
		return nil, nil, err
	}
	if err := r.Get(ctx, types.NamespacedName{Name: rollout.Spec.BundleName}, bundle); err != nil {
		return nil, nil, err
	}
	name = types.NamespacedName{Namespace: r.job.Tenant, Name: target.Spec.InstanceName}
	if err := r.Get(ctx, name, instance); err != nil {
		return nil, nil, err
	}
	agent, err := agentOf(instance)
	return agent, bundle, err
}

// begin stores the order's id before the order goes out, so that a crash repeats nothing.
func (r *TargetReconciler) begin(ctx context.Context, target *RolloutTarget) error {
	base, now := target.deepCopy(), metav1.Now()
	target.Status.State, target.Status.Attempt = "in_progress", 1
	target.Status.TaskID, target.Status.StartedAt = string(uuid.NewUUID()), &now
	meta.SetStatusCondition(&target.Status.Conditions, metav1.Condition{
		Type: "Succeeded", Status: metav1.ConditionUnknown, Reason: "Running",
		Message: "the order goes out", ObservedGeneration: target.Generation,
	})
	return r.Status().Patch(ctx, target, client.MergeFrom(base))
}

func (r *TargetReconciler) push(
	ctx context.Context, agent *Agent, taskID string, bundle *Bundle,
) (*Report, error) {
	report, err := r.agents.Order(ctx, agent, taskID, bundle)
	for err == nil && !final[report.State] {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(r.job.ask()):
			report, err = r.agents.Task(ctx, agent, taskID)
		}
	}
	return report, err
}

func (r *TargetReconciler) end(
	ctx context.Context, target *RolloutTarget, report *Report, bundle *Bundle,
) error {
	base, now := target.deepCopy(), metav1.Now()
	condition := metav1.Condition{
		Type: "Succeeded", Status: metav1.ConditionTrue, Reason: "Activated",
		Message: "the agent runs it", ObservedGeneration: target.Generation,
	}
	target.Status.State, target.Status.LastResultStatus = "succeeded", "activated"
	if report.State != "activated" || report.RunningHash != bundle.Spec.Artifact.SHA256 {
		target.Status.State, target.Status.LastResultStatus = "failed", "rejected"
		target.Status.ErrorMessage = fmt.Sprintf("%s: %s", report.State, report.Message)
		condition.Status, condition.Reason = metav1.ConditionFalse, "Failed"
		condition.Message = target.Status.ErrorMessage
	}
	target.Status.CompletedAt = &now
	meta.SetStatusCondition(&target.Status.Conditions, condition)
	return r.Status().Patch(ctx, target, client.MergeFrom(base))
}
