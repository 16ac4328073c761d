"""Carries out a plan: intents in their order, neighbours of one kind together.

A failed intent does not stop the others; what failed is planned again. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby

import structlog

from hydracore_core.rollouts.model import (
    Abort,
    Admit,
    AskHistory,
    Hold,
    Intent,
    LetGo,
    Plan,
    RaiseAttempt,
    RefuseRetry,
    Release,
    Report,
    Requeue,
    Resolve,
    Settle,
    Start,
    TakeBack,
    Track,
)
from hydracore_kube import Conflict
from hydracore_operator.rollouts.admit import CREATING, create, hold, pin
from hydracore_operator.rollouts.ask import ask
from hydracore_operator.rollouts.ledger import LedgerMovedError
from hydracore_operator.rollouts.letgo import let_go
from hydracore_operator.rollouts.report import OutdatedError, report
from hydracore_operator.rollouts.resolve import Resolver
from hydracore_operator.rollouts.settle import raise_attempt, refuse_retry, requeue, settle
from hydracore_operator.rollouts.start import drive, start
from hydracore_operator.rollouts.tenant import Tenant
from hydracore_operator.rollouts.writes import ContendedError, bounded

STALE = (Conflict, LedgerMovedError, OutdatedError, ContendedError)
"""Errors that mean: the world has moved, so plan again at once."""

log = structlog.get_logger(__name__)


@dataclass
class Applied:
    """What came of a plan.

    Attributes:
        again: Plan again at once: something changed that the plan could not see.
        started: Whether slots were claimed (and freed) by a ledger write.
        wake: After how long to come again at the latest, for what was put off.
        driven: Task ids that need a drive.
        errors: What failed.
        creating: Keys of the errands that create targets for the plan.
        unreported: Names of rollouts whose status could not be stored: nothing of theirs starts.
    """

    again: bool = False
    started: bool = False
    wake: timedelta | None = None
    driven: set[str] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)
    creating: set[str] = field(default_factory=set)
    unreported: set[str] = field(default_factory=set)

    def wake_in(self, after: timedelta | None) -> None:
        """Remember to come again, if anything asks for it."""
        if after is not None:
            self.wake = after if self.wake is None else min(self.wake, after)

    def failed(self, error: Exception) -> None:
        """Take in a failure: stale means again, all else is raised at the end."""
        if isinstance(error, STALE):
            self.again = True
        else:
            self.errors.append(error)


class Executor:
    """Carries out plans."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Take the source of task ids."""
        self._new_id = new_id

    async def apply(self, tenant: Tenant, plan: Plan) -> Applied:
        """Carry out a plan for one tenant; errors are in the answer."""
        applied = Applied()
        before = tenant.drives.ids()
        for kind, group in groupby(plan.intents, key=type):
            await self._batch(tenant, kind, list(group), applied)
        tenant.drives.drop(before - applied.driven)
        tenant.errands.keep(CREATING, applied.creating)
        return applied

    async def _batch(
        self, tenant: Tenant, kind: type, intents: Sequence[Intent], applied: Applied
    ) -> None:
        if kind is Start:
            starts = [intent for intent in intents if isinstance(intent, Start)]
            await self._start(tenant, starts, applied)
            return
        if kind is Track:  # hundreds, which write nothing
            for intent in intents:
                self._follow(tenant, intent, applied)
            return
        jobs = [partial(self._one, tenant, intent, applied) for intent in intents]
        for result in await bounded(jobs, at_once=tenant.timing.writes_at_once):
            if isinstance(result, Exception):
                applied.failed(result)

    async def _start(self, tenant: Tenant, wanted: list[Start], applied: Applied) -> None:
        """Start what the stored statuses allow: a wave only once the one before has passed."""
        starts = [intent for intent in wanted if intent.rollout_name not in applied.unreported]
        try:
            applied.driven |= await start(tenant, starts, self._new_id)
            applied.started = True
        except Exception as error:  # noqa: BLE001 - raised at the end of the pass
            applied.failed(error)

    async def _one(self, tenant: Tenant, intent: Intent, applied: Applied) -> None:
        match intent:
            case Hold():
                await hold(tenant, intent)
                applied.again = True
            case Admit():
                await self._admit(tenant, intent, applied)
            case TakeBack():
                self._create(tenant, intent, applied)
            case Settle():
                await settle(tenant, intent)
            case RaiseAttempt():
                await raise_attempt(tenant, intent)
                applied.again = True
            case Requeue():
                await requeue(tenant, intent)
                applied.again = True
            case RefuseRetry():
                await refuse_retry(tenant, intent)
            case Report():
                await self._report(tenant, intent, applied)
            case _:
                self._follow(tenant, intent, applied)

    async def _report(self, tenant: Tenant, intent: Report, applied: Applied) -> None:
        try:
            seconds = await report(tenant, intent)
        except Exception:
            applied.unreported.add(intent.rollout_name)
            raise
        applied.wake_in(None if seconds is None else timedelta(seconds=seconds))

    async def _admit(self, tenant: Tenant, intent: Admit, applied: Applied) -> None:
        """Pin, and plan again with that; then have the targets created."""
        rollout = tenant.rollout(intent.rollout_name)
        if rollout is not None and rollout.status.artifact is None:
            applied.again = True
            await pin(tenant, intent)
        else:
            self._create(tenant, intent, applied)

    def _create(self, tenant: Tenant, intent: Admit | TakeBack, applied: Applied) -> None:
        if (key := create(tenant, intent)) is not None:
            applied.creating.add(key)

    def _follow(self, tenant: Tenant, intent: Intent, applied: Applied) -> None:
        """Carry out what needs no write now."""
        match intent:
            case Track():
                applied.driven.add(intent.task_id)
                drive(tenant, intent.target_name, intent.task_id)
            case Abort():
                tenant.drives.abort(intent.task_id)
            case Release():
                log.debug("slot_released", task_id=intent.task_id, why=intent.why)
                tenant.free(intent.task_id)
            case Resolve():
                self._resolve(tenant, intent, applied)
            case AskHistory():
                ask(tenant, intent)
            case LetGo():
                let_go(tenant, intent)

    def _resolve(self, tenant: Tenant, intent: Resolve, applied: Applied) -> None:
        """Settle a slot without target, unless this process drives its order already.

        Then the plan is older than the target's in_progress, or the drive is about to end.
        """
        task_id = intent.slot.task_id
        if task_id in tenant.starting or task_id in tenant.drives:
            applied.driven.add(task_id)
            # A drive that ends without a write wakes nobody, so look again.
            applied.wake_in(timedelta(seconds=tenant.timing.poll_max))
            return
        key = f"slot-{task_id}"
        applied.driven.add(key)
        resolver = Resolver(tenant, intent.slot)
        tenant.drives.ensure(key, lambda _abort: resolver.run())
