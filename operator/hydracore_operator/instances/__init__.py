"""Instances: from nothing to Ready and back to nothing, level-triggered."""

from hydracore_operator.instances.collector import Collector
from hydracore_operator.instances.reconciler import InstanceReconciler

__all__ = ["Collector", "InstanceReconciler"]
