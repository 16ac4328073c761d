"""HydraCore's custom resources: the contract between all other packages.

Every kind is a Pydantic class of the same shape as its wire form; the YAML beside this package
is generated from the classes (``python -m hydracore_crds.generate``) and never edited by hand.
This package imports nothing of HydraCore.
"""

from hydracore_crds.base import Condition, ObjectMeta, OwnerReference, Resource, Time, Wire
from hydracore_crds.bundle import Bundle
from hydracore_crds.instance import Instance
from hydracore_crds.instance_action import InstanceAction
from hydracore_crds.instance_class import InstanceClass
from hydracore_crds.platform_policy import PlatformPolicy
from hydracore_crds.rollout import Rollout
from hydracore_crds.rollout_target import RolloutTarget
from hydracore_crds.update_policy import UpdatePolicy

KINDS: tuple[type[Resource], ...] = (
    InstanceClass,
    Bundle,
    PlatformPolicy,
    UpdatePolicy,
    Instance,
    InstanceAction,
    Rollout,
    RolloutTarget,
)
"""Every kind, in the order in which they refer to each other."""

__all__ = [
    "KINDS",
    "Bundle",
    "Condition",
    "Instance",
    "InstanceAction",
    "InstanceClass",
    "ObjectMeta",
    "OwnerReference",
    "PlatformPolicy",
    "Resource",
    "Rollout",
    "RolloutTarget",
    "Time",
    "UpdatePolicy",
    "Wire",
]
