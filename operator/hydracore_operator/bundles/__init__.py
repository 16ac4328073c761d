"""Bundles: verified before they are offered, kept while somebody needs them."""

from hydracore_operator.bundles.reconciler import BundleReconciler

__all__ = ["BundleReconciler"]
