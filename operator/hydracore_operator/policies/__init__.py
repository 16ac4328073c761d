"""Update policies: accepted, and what holds by them now."""

from hydracore_operator.policies.reconciler import PolicyReconciler

__all__ = ["PolicyReconciler"]
