"""The one place that builds the reconcilers and runs their queues while this process leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hydracore_operator.context import Context
from hydracore_operator.controller.queues import Queues
from hydracore_operator.controller.reconciler import Closable, Loop, Measured, Reconciler
from hydracore_operator.controller.wakeups import Wakeups

NOTIFICATION_WORKERS = 8
"""Tenants that are told at once; receivers may be slow, and each of these waits for some."""
PATIENT_WORKERS = 2
"""What is never urgent (archiving, rollouts by themselves) takes no connections from what is."""


@dataclass(frozen=True)
class Factories:
    """How each reconciler is built."""

    instances: Callable[[Context], Reconciler]
    actions: Callable[[Context], Reconciler]
    bundles: Callable[[Context], Reconciler]
    platform: Callable[[Context], Reconciler]
    policies: Callable[[Context], Reconciler]
    tenants: Callable[[Context], Reconciler]
    archive: Callable[[Context], Reconciler]
    notifications: Callable[[Context], Reconciler]
    auto: Callable[[Context], Reconciler]
    health: Callable[[Context], Loop]


def default_factories() -> Factories:
    """Return the operator's own reconcilers. Imported here, so that tests can do without."""
    from hydracore_operator.actions import ActionReconciler  # noqa: PLC0415
    from hydracore_operator.archive import (  # noqa: PLC0415
        ArchiveReconciler,
        StepRecorder,
        archived_kinds,
    )
    from hydracore_operator.auto import AutoReconciler  # noqa: PLC0415
    from hydracore_operator.bundles import BundleReconciler  # noqa: PLC0415
    from hydracore_operator.health import HealthLoop, Together, Verdicts  # noqa: PLC0415
    from hydracore_operator.instances import Collector, InstanceReconciler  # noqa: PLC0415
    from hydracore_operator.notifications import NotificationReconciler  # noqa: PLC0415
    from hydracore_operator.platform import PlatformReconciler  # noqa: PLC0415
    from hydracore_operator.policies import PolicyReconciler  # noqa: PLC0415
    from hydracore_operator.rollouts import TenantReconciler  # noqa: PLC0415

    verdicts = Verdicts()
    return Factories(
        instances=lambda ctx: InstanceReconciler(ctx, verdicts=verdicts),
        actions=ActionReconciler,
        bundles=BundleReconciler,
        platform=PlatformReconciler,
        policies=PolicyReconciler,
        tenants=TenantReconciler,
        archive=lambda ctx: ArchiveReconciler(ctx, archived_kinds(ctx)),
        health=lambda ctx: Together(
            HealthLoop(ctx, verdicts=verdicts), Collector(ctx), StepRecorder(ctx)
        ),
        notifications=NotificationReconciler,
        auto=AutoReconciler,
    )


class Wiring:
    """Reconcilers, their queues, and what wakes them."""

    def __init__(
        self,
        ctx: Context,
        queues: Queues,
        factories: Factories,
        *,
        gate: Callable[[], bool],
    ) -> None:
        """Build the reconcilers.

        Args:
            ctx: What they are handed.
            queues: Their queues.
            factories: How to build them.
            gate: Whether this process may still act; asked before each reconcile.
        """
        self._queues = queues
        self._gate = gate
        self._wakeups = Wakeups(ctx.stores, queues)
        self._health = factories.health(ctx)
        workers = ctx.settings.workers
        self._work = (
            (queues.bundles, factories.bundles(ctx), workers),
            (queues.platform, factories.platform(ctx), 1),
            (queues.policies, factories.policies(ctx), workers),
            (queues.instances, factories.instances(ctx), workers),
            (queues.actions, factories.actions(ctx), workers),
            (queues.tenants, factories.tenants(ctx), workers),
            (queues.archive, factories.archive(ctx), min(workers, PATIENT_WORKERS)),
            (
                queues.notifications,
                factories.notifications(ctx),
                min(workers, NOTIFICATION_WORKERS),
            ),
            (queues.auto, factories.auto(ctx), min(workers, PATIENT_WORKERS)),
        )
        self._stopping = asyncio.Event()

    def health(self) -> dict[str, Any]:
        """Return what the health loop achieves; empty where it does not say."""
        return self._health.metrics() if isinstance(self._health, Measured) else {}

    def stop(self) -> None:
        """Let :meth:`run` return: nothing new starts, what runs gets a few seconds."""
        self._stopping.set()
        for queue in self._queues.each():
            queue.stop()

    async def run(self) -> None:
        """Reconcile until :meth:`stop`; cancellation ends everything at once."""
        self._wakeups.start()
        try:
            async with asyncio.TaskGroup() as group:
                health = group.create_task(self._health.run(), name="health")
                for queue, reconciler, workers in self._work:
                    work = queue.run(reconciler.reconcile, workers=workers, gate=self._gate)
                    group.create_task(work, name=queue.name)
                await self._stopping.wait()
                health.cancel()
        finally:
            self._wakeups.stop()
            await self._close()

    async def _close(self) -> None:
        for _, reconciler, _ in self._work:
            if isinstance(reconciler, Closable):
                await reconciler.close()
