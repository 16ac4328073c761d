"""What every reconciler is handed: the outer world, passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hydracore_agentclient import AgentClient, ControlPlaneKey
from hydracore_artifacts.signing import TrustedKeys
from hydracore_artifacts.store import ArtifactStore
from hydracore_core.rollouts.filing import shelf_of
from hydracore_crds import (
    Bundle,
    Instance,
    InstanceAction,
    InstanceClass,
    PlatformPolicy,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_history.facade import History
from hydracore_kube import KubeClient, Namespace, ObjectStore
from hydracore_operator.clock import Clock, SystemClock
from hydracore_operator.controller.reconciler import Reconciler, RetryLater
from hydracore_operator.settings import OperatorSettings

FIELD_MANAGER = "hydracore-operator"
"""How the API server's records call the operator's writes and calls."""


class NotLeader(Exception):  # noqa: N818 - a state, not a fault of the caller
    """This process does not lead (any more): whatever is under way must stop."""


@dataclass(frozen=True)
class Stores:
    """The last known objects of every kind."""

    instances: ObjectStore[Instance] = field(
        default_factory=lambda: ObjectStore(Instance, index=lambda instance: instance.spec.id)
    )
    actions: ObjectStore[InstanceAction] = field(
        default_factory=lambda: ObjectStore(InstanceAction)
    )
    rollouts: ObjectStore[Rollout] = field(default_factory=lambda: ObjectStore(Rollout))
    targets: ObjectStore[RolloutTarget] = field(
        default_factory=lambda: ObjectStore(RolloutTarget, index=shelf_of)
    )
    platform: ObjectStore[PlatformPolicy] = field(
        default_factory=lambda: ObjectStore(PlatformPolicy)
    )
    policies: ObjectStore[UpdatePolicy] = field(default_factory=lambda: ObjectStore(UpdatePolicy))
    bundles: ObjectStore[Bundle] = field(default_factory=lambda: ObjectStore(Bundle))
    classes: ObjectStore[InstanceClass] = field(default_factory=lambda: ObjectStore(InstanceClass))
    namespaces: ObjectStore[Namespace] = field(default_factory=lambda: ObjectStore(Namespace))

    def each(self) -> tuple[ObjectStore[Any], ...]:
        """Return all stores; kinds that others refer to come first."""
        return (
            self.namespaces,
            self.classes,
            self.bundles,
            self.platform,
            self.policies,
            self.instances,
            self.actions,
            self.rollouts,
            self.targets,
        )


@dataclass(frozen=True)
class Context:
    """The outer world.

    Attributes:
        settings: The operator's settings.
        kube: The API server. Answers to own writes go into the stores by the caller.
        history: SQL.
        artifacts: The bundles' bytes.
        agents: The agents.
        key: The control plane's key; signs orders, derives bootstrap tokens.
        trusted: Keys whose signatures on bundles count.
        stores: What is known of the cluster.
        now: The wall time, aware UTC.
        epoch: The number of this leadership. Raises :class:`NotLeader` as soon as the Lease
            cannot be trusted any more, also in a process that was frozen, so that nothing is
            sent under a lost leadership: call it for each order, do not keep its answer.
        llm: The language models that new agents are told of, with their keys.
        wake_tenant: Has the tenant of this namespace reconciled soon.
        wake_instance: Has the Instance of this key (``namespace/name``) reconciled soon.
        clock: Where ``now`` comes from; for durations and sleeping.
    """

    settings: OperatorSettings
    kube: KubeClient
    history: History
    artifacts: ArtifactStore
    agents: AgentClient
    key: ControlPlaneKey
    trusted: TrustedKeys
    stores: Stores
    now: Callable[[], datetime]
    epoch: Callable[[], int]
    llm: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    wake_tenant: Callable[[str], None] = lambda _namespace: None
    wake_instance: Callable[[str], None] = lambda _key: None
    clock: Clock = field(default_factory=SystemClock)


__all__ = ["Context", "NotLeader", "Reconciler", "RetryLater", "Stores"]
