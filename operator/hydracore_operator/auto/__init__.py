"""Rollouts that nobody asks for: made once for each bundle, where the policy is auto."""

from hydracore_operator.auto.reconciler import AutoReconciler

__all__ = ["AutoReconciler"]
