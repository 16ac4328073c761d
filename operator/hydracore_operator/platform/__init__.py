"""The platform's policy: whether it is frozen, and how many are in flight over all tenants."""

from hydracore_operator.platform.reconciler import PlatformReconciler

__all__ = ["PlatformReconciler"]
