"""Lets the archive of an operator run beside its rollout engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from hydracore_crds import Rollout
from hydracore_operator.archive import ArchiveReconciler, RolloutArchiver
from hydracore_operator.archive.reconciler import archive_key
from hydracore_operator.clock import SystemClock
from hydracore_operator.context import Context
from hydracore_operator.controller.queue import WorkQueue
from tests.operator.rollouts.world import Operator


class Archiving:
    """The archive of one operator, woken by every change of a rollout."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        ctx = operator.ctx
        self.reconciler = ArchiveReconciler(ctx, {"rollouts": RolloutArchiver(ctx)})
        self.queue = WorkQueue("archive", clock=SystemClock())

    async def __aenter__(self) -> Self:
        def wake(old: Rollout | None, new: Rollout | None) -> None:
            if new is not None:
                self.queue.add(archive_key(new))

        self._end = self.operator.stores.rollouts.subscribe(wake)
        self._running = asyncio.create_task(self.queue.run(self.reconciler.reconcile, workers=2))
        for rollout in self.operator.stores.rollouts.all():
            self.queue.add(archive_key(rollout))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


def later(operator: Operator, days: float) -> Context:
    """Return the operator's context so many days later."""
    ctx = operator.ctx
    return replace(ctx, now=lambda: ctx.clock.now() + timedelta(days=days))
