"""The queues of all reconcilers."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_operator.clock import Clock
from hydracore_operator.controller.queue import WorkQueue


@dataclass(frozen=True)
class Queues:
    """One queue per reconciler.

    Attributes:
        instances: Keys ``namespace/name`` of Instances.
        actions: Keys ``namespace/name`` of InstanceActions.
        bundles: Names of Bundles.
        platform: Names of PlatformPolicies.
        policies: Keys ``namespace/name`` of UpdatePolicies.
        tenants: Namespaces.
        archive: Keys ``plural/namespace/name`` of finished objects.
        notifications: Namespaces of tenants with webhooks.
        auto: Namespaces that may get a rollout by themselves.
    """

    instances: WorkQueue
    actions: WorkQueue
    bundles: WorkQueue
    platform: WorkQueue
    policies: WorkQueue
    tenants: WorkQueue
    archive: WorkQueue
    notifications: WorkQueue
    auto: WorkQueue

    @classmethod
    def create(cls, clock: Clock) -> Queues:
        """Return empty queues."""
        names = (
            "instances",
            "actions",
            "bundles",
            "platform",
            "policies",
            "tenants",
            "archive",
            "notifications",
            "auto",
        )
        return cls(*(WorkQueue(name, clock=clock) for name in names))

    def each(self) -> tuple[WorkQueue, ...]:
        """Return all queues."""
        return (
            self.bundles,
            self.platform,
            self.policies,
            self.instances,
            self.actions,
            self.tenants,
            self.archive,
            self.notifications,
            self.auto,
        )
