"""InstanceActions: each run at most once, whatever becomes of this process."""

from hydracore_operator.actions.reconciler import ActionReconciler

__all__ = ["ActionReconciler"]
