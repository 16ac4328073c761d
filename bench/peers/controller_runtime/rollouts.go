package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

const (
	creators    = 32
	countsEvery = time.Second
)

// RolloutReconciler creates the targets of a Rollout and counts them.
type RolloutReconciler struct {
	client.Client
	job     *Job
	written time.Time
}

func (r *RolloutReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&Rollout{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&RolloutTarget{}, builder.WithPredicates(stateChanged())).
		Complete(r)
}

// stateChanged lets a Rollout hear of its targets only what its counts depend on.
func stateChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*RolloutTarget), e.ObjectNew.(*RolloutTarget)
			return before.Status.State != after.Status.State
		},
	}
}

func (r *RolloutReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	rollout := &Rollout{}
	if err := r.Get(ctx, req.NamespacedName, rollout); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if rollout.Status.CompletedAt != nil {
		return ctrl.Result{}, nil
	}
	if !rollout.Status.TargetsCreated {
		if err := r.create(ctx, rollout); err != nil {
			return ctrl.Result{}, err
		}
	}
	counts, err := r.count(ctx, rollout)
	if err != nil {
		return ctrl.Result{}, err
	}
	ended := counts.Succeeded+counts.Failed == counts.Total
	if wait := countsEvery - time.Since(r.written); !ended && wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	r.written = time.Now()
	return ctrl.Result{}, r.store(ctx, rollout, counts, ended)
}

// create makes one target for each Instance, and says when all are there.
func (r *RolloutReconciler) create(ctx context.Context, rollout *Rollout) error {
	bundle, instances := &Bundle{}, &InstanceList{}
	if err := r.Get(ctx, types.NamespacedName{Name: rollout.Spec.BundleName}, bundle); err != nil {
		return err
	}
	if err := r.List(ctx, instances, client.InNamespace(r.job.Tenant)); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for order := range instances.Items {
		group.Go(func() error {
			return r.createOne(inner, rollout, bundle, &instances.Items[order], order)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	base, now := rollout.deepCopy(), metav1.Now()
	rollout.Status.State, rollout.Status.TargetsCreated = "in_progress", true
	rollout.Status.StartedAt = &now
	rollout.Status.Counts = &Counts{Total: len(instances.Items), Queued: len(instances.Items)}
	return r.Status().Patch(ctx, rollout, client.MergeFrom(base))
}

func (r *RolloutReconciler) createOne(
	ctx context.Context, rollout *Rollout, bundle *Bundle, instance *Instance, order int,
) error {
	target := &RolloutTarget{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rollout.Namespace,
			Name:      fmt.Sprintf("%s-%05d", rollout.Name, order),
		},
		Spec: RolloutTargetSpec{
			RolloutName:  rollout.Name,
			InstanceName: instance.Name,
			InstanceID:   instance.Spec.ID,
			BundleHash:   bundle.Spec.Artifact.SHA256,
			Order:        order,
		},
	}
	if err := controllerutil.SetControllerReference(rollout, target, r.Scheme()); err != nil {
		return err
	}
	if err := r.Create(ctx, target); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

func (r *RolloutReconciler) count(ctx context.Context, rollout *Rollout) (*Counts, error) {
	targets := &RolloutTargetList{}
	// Only read, so nothing has to be copied.
	err := r.List(ctx, targets, client.InNamespace(rollout.Namespace), client.UnsafeDisableDeepCopy)
	counts := &Counts{Total: rollout.Status.Counts.Total}
	for i := range targets.Items {
		if targets.Items[i].Spec.RolloutName != rollout.Name {
			continue
		}
		switch targets.Items[i].Status.State {
		case "in_progress":
			counts.InProgress++
		case "succeeded":
			counts.Succeeded++
		case "failed":
			counts.Failed++
		}
	}
	counts.Queued = counts.Total - counts.InProgress - counts.Succeeded - counts.Failed
	return counts, err
}

func (r *RolloutReconciler) store(
	ctx context.Context, rollout *Rollout, counts *Counts, ended bool,
) error {
	base, now := rollout.deepCopy(), metav1.Now()
	rollout.Status.Counts = counts
	if ended {
		condition := metav1.Condition{
			Type: "Succeeded", Status: metav1.ConditionTrue, Reason: "Complete",
			Message: "all targets have ended", ObservedGeneration: rollout.Generation,
		}
		rollout.Status.State, rollout.Status.CompletedAt = "succeeded", &now
		if counts.Failed > 0 {
			rollout.Status.State, condition.Status = "failed", metav1.ConditionFalse
		}
		meta.SetStatusCondition(&rollout.Status.Conditions, condition)
	}
	return client.IgnoreNotFound(r.Status().Patch(ctx, rollout, client.MergeFrom(base)))
}
