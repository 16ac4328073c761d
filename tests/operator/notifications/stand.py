"""A tenant whose operator tells webhooks: the API server and time in memory, SQL and HTTP real."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import ControlPlaneKey
from hydracore_crds import Condition, Rollout, UpdatePolicy
from hydracore_crds.base import find
from hydracore_crds.rollout import Counts
from hydracore_crds.webhook import Webhook
from hydracore_history import History, Notification
from hydracore_operator.context import Context, Stores
from hydracore_operator.notifications import NotificationReconciler, WebhookSender
from tests.operator.rollouts import builders
from tests.operator.rollouts.builders import NS
from tests.operator.rollouts.fakes import FakeClock, FakeKube
from tests.operator.rollouts.world import settings

KEY = ControlPlaneKey(Ed25519PrivateKey.generate())


class Stand:
    """The notifications of one tenant; :meth:`operator` starts a new process, as after a crash."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.clock = FakeClock()
        self.kube = FakeKube()
        self.kube.put(builders.namespace())
        self.policy = self.kube.put(builders.policy())
        self.leading: Callable[[], int] = lambda: 1
        self.reconciler = self.operator()

    def operator(self, **sender: Any) -> NotificationReconciler:
        """Start a process that knows what the cluster and SQL know, and nothing more."""
        self.stores = Stores()
        self.kube.subscribe(*self.stores.each())
        ctx = Context(
            settings=settings(),
            kube=cast("Any", self.kube),
            history=self.history,
            artifacts=cast("Any", None),
            agents=cast("Any", None),
            key=KEY,
            trusted=cast("Any", None),
            stores=self.stores,
            now=self.clock.now,
            epoch=self._epoch,
            clock=self.clock,
        )
        allowed = {"allow_http": True, "allow_private": True, "deadline_seconds": 0.5}
        self.reconciler = NotificationReconciler(
            ctx, sender=WebhookSender(**{**allowed, **sender}), jitter=lambda: 0.0
        )
        return self.reconciler

    def _epoch(self) -> int:
        return self.leading()

    def name(self, *webhooks: tuple[str, str], events: Any = None) -> None:
        """Put webhooks (name, url) into the tenant's policy."""
        named = [Webhook(name=name, url=url, events=events) for name, url in webhooks]
        self.kube.edit(self.policy, notifications=named)

    def rollout(self, name: str = "to-110") -> Rollout:
        """Apply a rollout."""
        return self.kube.put(builders.rollout(name))

    def status(self, rollout: Rollout, **status: Any) -> None:
        """Write a rollout's status, as the rollout engine does."""
        found = self.kube.current(rollout)
        filled = {"counts": Counts(total=4, failed=1, succeeded=3), **status}
        changed = found.status.model_copy(update=filled)
        self.kube.put(found.model_copy(update={"status": changed}))

    def halt(self, rollout: Rollout, reason: str = "Halted: 1 of 4 failed.") -> None:
        """Halt it now."""
        self.status(rollout, state="paused", halted_at=self.clock.now(), halt_reason=reason)

    def end(self, rollout: Rollout, state: str = "succeeded") -> None:
        """End it now."""
        self.status(rollout, state=state, completed_at=self.clock.now(), halted_at=None)

    async def tell(self) -> datetime | timedelta | None:
        """Reconcile once."""
        return await self.reconciler.reconcile(NS)

    async def tell_all(self) -> datetime | timedelta | None:
        """Reconcile until nothing is to be done now."""
        again = await self.tell()
        while again == self.clock.now():
            again = await self.tell()
        return again

    async def later(self, **time: float) -> datetime | timedelta | None:
        """Reconcile once after a while."""
        self.clock.advance(timedelta(**time).total_seconds())
        return await self.tell()

    async def open(self) -> list[Notification]:
        return await self.history.notifications.open(NS, 10_000)

    def current(self) -> UpdatePolicy:
        return self.kube.current(self.policy)

    @property
    def said(self) -> Condition | None:
        """Return the condition that people see."""
        return find(self.current().status.conditions, "NotificationsDelivered")
