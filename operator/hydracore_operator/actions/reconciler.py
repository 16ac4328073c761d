"""One InstanceAction, from whatever state it is in, to its end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import structlog

from hydracore_core.actions import status as statuses
from hydracore_core.actions.model import (
    ActionView,
    Decision,
    Finish,
    Follow,
    Rest,
    Settle,
    Start,
    Wait,
)
from hydracore_core.actions.plan import decide
from hydracore_core.actions.status import Facts
from hydracore_crds import InstanceAction, conditions
from hydracore_crds.instance_action import InstanceActionStatus
from hydracore_history import DeepHealthReport, HistoryUnavailable
from hydracore_kube import NotFound
from hydracore_operator.actions.admission import admit
from hydracore_operator.actions.by_agent import AgentCarrier
from hydracore_operator.actions.by_provider import ProviderCarrier
from hydracore_operator.actions.carrier import Carrier
from hydracore_operator.actions.outcome import Outcome
from hydracore_operator.actions.run import Job, Progress, Runs
from hydracore_operator.actions.view import gather
from hydracore_operator.context import Context
from hydracore_operator.providers import Providers
from hydracore_operator.providers.build import build_providers

FIRST_LOOK = timedelta(milliseconds=250)
LONGEST_LOOK = timedelta(seconds=2)
SETTLE_AGAIN = timedelta(seconds=3)

log = structlog.get_logger(__name__)


class ActionReconciler:
    """Reconciles InstanceActions by key.

    ``pending → running`` is a compare-and-swap, and only the process whose write was acknowledged
    sends the action, once. Whoever finds one ``running`` that it has not begun itself makes it
    ``uncertain`` and asks who carries it out; nothing is ever sent a second time.
    """

    def __init__(self, ctx: Context, providers: Providers | None = None) -> None:
        """Take the outer world and who gives servers; by default those of the settings."""
        self._ctx = ctx
        self._agent: Carrier = AgentCarrier(ctx)
        self._provider: Carrier = ProviderCarrier(
            ctx, providers or build_providers(ctx.settings, ctx.now)
        )
        self._runs = Runs()
        # Two actions on one Instance must not both find that none runs.
        self._starting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def reconcile(self, key: str) -> timedelta | datetime | None:
        """Take the next step for one action; return when to look again.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
            NotLeader: Another operator leads.
        """
        action = self._ctx.stores.actions.get(key)
        if action is None:
            self._runs.end(key)
            return None
        try:
            return await self._step(action)
        except NotFound:
            self._ctx.stores.actions.remove(key, action.metadata.uid)
            return None

    async def _step(self, action: InstanceAction) -> timedelta | datetime | None:
        instance = f"{action.metadata.namespace}/{action.spec.instance_name}"
        lock = self._starting.setdefault(instance, asyncio.Lock())
        async with lock:
            mine = self._runs.of(action) is not None
            view = await gather(self._ctx, action, mine=mine, now=self._ctx.now())
            decision = decide(view)
            if isinstance(decision, Start):
                decision = await admit(self._ctx, view, decision)
            if isinstance(decision, Start):
                view = await self._begin(view, decision)
        return await self._apply(view, decision)

    async def _apply(self, view: ActionView, decision: Decision) -> timedelta | datetime | None:
        when: timedelta | datetime | None = None
        match decision:
            case Start():
                when = await self._send(view)
            case Wait():
                await self._write(view, statuses.waiting(view.action, decision, view.now))
                when = decision.until
            case Follow():
                when = await self._follow(view)
            case Settle():
                when = await self._settle(view)
            case Finish():
                when = await self._finish(view, decision)
            case Rest():
                self._runs.end(view.action.key)
        return when

    async def _begin(self, view: ActionView, start: Start) -> ActionView:
        """Make it ``running`` and ours; from here on it may have been sent."""
        self._ctx.epoch()
        stored = await self._write(view, statuses.started(view.action, start, view.now))
        self._runs.begin(stored)
        return replace(view, action=stored, mine=True)

    async def _send(self, view: ActionView) -> timedelta | None:
        job = self._job(view)
        log.info("action_sent", action=view.action.key, what=view.action.spec.action)
        return await self._told(view, await self._carrier(view.action).send(job))

    async def _follow(self, view: ActionView) -> timedelta | None:
        run, carrier = self._runs.of(view.action), self._carrier(view.action)
        ask = carrier.ask if run is not None and run.acknowledged else carrier.settle
        return await self._told(view, await ask(self._job(view)))

    async def _settle(self, view: ActionView) -> timedelta | None:
        told = await self._carrier(view.action).settle(self._job(view))
        if isinstance(told, Outcome):
            return await self._ended(view, told)
        if view.action.status.state == "running":
            text = "nobody could say in time what became of it; it is asked on, and never run again"
            await self._finish(view, Finish("uncertain", conditions.OUTCOME_UNKNOWN, text))
        return SETTLE_AGAIN

    async def _told(self, view: ActionView, told: Outcome | Progress) -> timedelta | None:
        if isinstance(told, Outcome):
            return await self._ended(view, told)
        run = self._runs.of(view.action)
        if run is not None and told.known:
            run.acknowledged = True
        since = self._ctx.now() - (view.action.status.started_at or view.now)
        return min(LONGEST_LOOK, max(FIRST_LOOK, since / 10))

    async def _ended(self, view: ActionView, outcome: Outcome) -> timedelta | None:
        """Store an outcome; the report of an examination also where health keeps the last one."""
        when = await self._finish(view, outcome.finish, outcome.facts)
        if outcome.examined is not None:
            report = DeepHealthReport(
                instance_id=view.action.status.instance_id or "",
                at=outcome.examined.checked_at,
                report=outcome.examined.to_wire(),
                error=None,
            )
            try:
                await self._ctx.history.health.polls([], [report])
            except HistoryUnavailable as error:
                # The action itself has the report; the health loop will make the next one.
                log.warning("report_not_kept", action=view.action.key, error=str(error))
        return when

    async def _finish(
        self, view: ActionView, finish: Finish, facts: Facts | None = None
    ) -> timedelta | None:
        status = statuses.finished(view.action, finish, self._ctx.now(), facts)
        stored = await self._write(view, status)
        self._runs.end(stored.key)
        log.info(
            "action_finished",
            action=stored.key,
            what=stored.spec.action,
            state=finish.state,
            reason=finish.reason,
        )
        return SETTLE_AGAIN if finish.state == "uncertain" else None

    async def _write(self, view: ActionView, status: InstanceActionStatus) -> InstanceAction:
        """Write a status on the very version that was decided on."""
        if status.instance_id is None and view.instance is not None:
            status.instance_id = view.instance.spec.id or view.instance.metadata.uid
        stored = await self._ctx.kube.update_status(view.action, status)
        self._ctx.stores.actions.upsert(stored)
        return stored

    def _job(self, view: ActionView) -> Job:
        assert view.instance is not None  # noqa: S101 - without one nothing is begun or asked
        return Job(view.action, view.instance, self._ctx.epoch(), self._ctx.now())

    def _carrier(self, action: InstanceAction) -> Carrier:
        return self._provider if action.spec.action == "reboot" else self._agent
