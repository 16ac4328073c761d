"""Tells history the steps of rollouts and targets soon after they were taken.

Nothing depends on it: an object bears its newest steps itself, and what has ended is archived with
all of them. But an object bears a limited number, and its cluster may be lost with it.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import FINAL_STATES
from hydracore_history import HistoryError, TransitionRecord
from hydracore_operator.archive.steps import records, tenant_of
from hydracore_operator.context import Context

FLUSH_SECONDS = 2.0
"""Longest that a step waits."""
AWAY_SECONDS = 10.0
"""After SQL was away, it is tried again so much later."""
BATCH = 500
"""So many objects are told of at once."""

log = structlog.get_logger(__name__)


class StepRecorder:
    """Remembers of which objects something is to be told, the latest copy of each.

    So it is bounded by their number, also while SQL is away.
    """

    def __init__(self, ctx: Context) -> None:
        """Take the outer world."""
        self._ctx = ctx
        self._waiting: dict[str, Rollout | RolloutTarget] = {}
        self._told: dict[str, int] = {}
        self._away = False

    async def run(self) -> None:
        """Tell history until cancelled."""
        stores = self._ctx.stores
        ends: list[Callable[[], None]] = [
            stores.rollouts.subscribe(self._changed),
            stores.targets.subscribe(self._changed),
        ]
        self._take_over()
        try:
            while True:
                await self._ctx.clock.sleep(AWAY_SECONDS if self._away else FLUSH_SECONDS)
                await self.flush()
        finally:
            for end in ends:
                end()

    async def flush(self) -> None:
        """Tell all that waits. Where SQL is away, it waits on."""
        while self._waiting:
            some = {uid: self._waiting.pop(uid) for uid in list(self._waiting)[:BATCH]}
            rows = [row for obj in some.values() for row in self._news(obj)]
            try:
                await self._ctx.history.transitions.record(rows)
            except HistoryError as error:
                self._waiting = some | self._waiting
                if not self._away:
                    log.warning("steps_not_stored", objects=len(self._waiting), error=str(error))
                self._away = True
                return
            except Exception:
                # Not told again and again: it would stand in the way of all others. Their archive
                # has them too.
                log.exception("steps_not_stored", objects=len(some))
                return
            self._away = False
            for row in rows:
                if row.uid in self._told:
                    self._told[row.uid] = max(self._told[row.uid], row.seq)

    def _take_over(self) -> None:
        """Tell what a former leader may not have told; what has ended is archived with it."""
        stores = self._ctx.stores
        for rollout in stores.rollouts.all():
            if rollout.status.state not in FINAL_STATES:
                self._changed(None, rollout)
        for target in stores.targets.all():
            parent = stores.rollouts.get(_parent(target))
            if parent is not None and parent.status.state not in FINAL_STATES:
                self._changed(None, target)

    def _changed(
        self, old: Rollout | RolloutTarget | None, new: Rollout | RolloutTarget | None
    ) -> None:
        if new is None:
            if old is not None:
                self._told.pop(old.metadata.uid, None)
            return
        trail = new.status.transitions
        if trail and trail[-1].seq > self._told.setdefault(new.metadata.uid, 0):
            self._waiting[new.metadata.uid] = new

    def _news(self, obj: Rollout | RolloutTarget) -> list[TransitionRecord]:
        namespace, uid = obj.metadata.namespace or "", obj.metadata.uid
        if isinstance(obj, RolloutTarget):
            owners = [o.uid for o in obj.metadata.owner_references if o.kind == Rollout.KIND.kind]
            if not owners:
                return []
            rollout_uid = owners[0]
        else:
            rollout_uid = uid
        known = self._told.get(uid, 0)
        rows = records(obj, rollout_uid, tenant_of(self._ctx.stores, namespace))
        return [row for row in rows if row.seq > known]


def _parent(target: RolloutTarget) -> str:
    return f"{target.metadata.namespace}/{target.spec.rollout_name}"
