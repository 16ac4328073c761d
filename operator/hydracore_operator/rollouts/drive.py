"""Follows one order until its target is settled: ask, send if the agent never saw it, ask again.

While the agent works on the order, it is asked to answer once that has ended (a long poll, ADR 15).

Level-triggered: every round begins with what the agent says now, so a drive can be ended and
begun again at any time, by this process or another, without doing anything twice.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from hydracore_agentclient import (
    AgentEndpoint,
    AgentError,
    AgentStatus,
    InvalidAnswer,
    Refused,
    TaskReport,
    UnknownTask,
)
from hydracore_core.rollouts.wishes import cancel_mode
from hydracore_crds import RolloutTarget, conditions
from hydracore_kube import KubeError
from hydracore_operator.context import NotLeader
from hydracore_operator.rollouts import status
from hydracore_operator.rollouts.begin import Beginning
from hydracore_operator.rollouts.offer import Offer
from hydracore_operator.rollouts.orders import NotAddressableError, endpoint_of
from hydracore_operator.rollouts.outcome import Verdict, doubt, failure, success
from hydracore_operator.rollouts.pace import Pace
from hydracore_operator.rollouts.tenant import Tenant
from hydracore_operator.rollouts.trouble import Trouble
from hydracore_operator.rollouts.unless import unless
from hydracore_operator.rollouts.writes import ContendedError

log = structlog.get_logger(__name__)


class Drive:
    """One order's way to its end. Make one, then await :meth:`run` once."""

    def __init__(
        self,
        tenant: Tenant,
        target_name: str,
        task_id: str,
        abort: asyncio.Event,
        *,
        beginning: Beginning | None = None,
    ) -> None:
        """Take what it is about.

        Args:
            tenant: The tenant.
            target_name: The target whose order this is.
            task_id: The order.
            abort: Set when the agent shall be told to abort.
            beginning: The order is started now: its id is new, so the agent need not be asked
                before it is told.
        """
        self._tenant = tenant
        self._target_name = target_name
        self._task_id = task_id
        self._abort = abort
        self._aborted = False
        self._seen = False
        self._status: AgentStatus | None = None
        self._works = False
        self._pace = Pace(tenant.timing)
        self._offer = Offer(tenant, task_id)
        self._beginning = beginning
        self._ask_first = beginning is None
        self._trouble = Trouble(tenant, task_id)

    async def run(self) -> None:
        """Return when the order needs no attention any more. No error of a round ends it."""
        if self._beginning is not None and not await self._begun(self._beginning):
            self._tenant.free(self._task_id)
            return
        while not await self._timed_round():
            rare = self._tenant.timing.evidence_poll
            seconds = rare if self._is_uncertain() else self._pace.pause
            if seconds:
                await self._pause(seconds)

    async def _timed_round(self) -> bool:
        clock = self._tenant.ctx.clock
        began, self._works = clock.monotonic(), False
        over = await self._safe_round()
        self._pace.note(works=self._works, took=clock.monotonic() - began)
        return over

    def _is_uncertain(self) -> bool:
        """Whether the deadline has passed, so that the agent is asked now and then only."""
        target = self._tenant.target(self._target_name)
        return target is not None and target.status.state == "uncertain"

    async def _begun(self, beginning: Beginning) -> bool:
        try:
            return await beginning.store()
        except NotLeader:
            return False
        finally:
            self._tenant.starting.discard(self._task_id)

    async def _safe_round(self) -> bool:
        try:
            return await self._round()
        except NotLeader:
            return True
        except (KubeError, ContendedError) as error:
            # The API server is away or busy: what the agent said is asked again and stored later.
            log.warning("target_not_stored", target=self._target_name, error=str(error))
        except Exception:
            log.exception("drive_failed", target=self._target_name, task_id=self._task_id)
        return False

    async def _round(self) -> bool:
        """Ask once and act on it; return whether the drive is over."""
        target = self._tenant.target(self._target_name)
        if target is None or not status.is_open(target, self._task_id):
            return True
        try:
            verdict = await self._judge(target)
        except (AgentError, NotAddressableError) as error:
            await self._trouble.note(target, error)
            return False
        if verdict is None:
            return False
        await self._finish(target, verdict)
        return True

    async def _judge(self, target: RolloutTarget) -> Verdict | None:
        """Find out how it ended; None while it has not."""
        self._status = None
        instance = self._tenant.instance(target.spec.instance_name)
        endpoint = endpoint_of(instance, instance_id=target.spec.instance_id)
        report: TaskReport | Verdict | None = await self._ask(endpoint)
        if report is None and self._seen:
            await self._trouble.doubt(target, "the agent has forgotten the order it had taken")
            return None
        if report is None:
            self._ask_first = True
            report = await self._offer.make(endpoint, target)
        if isinstance(report, Verdict) or report is None:
            return report
        self._seen = True
        if not report.final:
            await self._go_on(target)
            return None
        return failure(report, forced=self._forced(target)) or await self._confirm(
            endpoint, target, report
        )

    async def _ask(self, endpoint: AgentEndpoint) -> TaskReport | None:
        """Return what the agent says about the order; None if it never saw it."""
        agents = self._tenant.ctx.agents
        try:
            if self._ask_first and not self._is_to_abort():
                report = await self._look(endpoint)
                if report is not None:
                    return report
            if self._is_to_abort():
                report = await agents.abort(endpoint, self._task_id, self._tenant.lead())
                self._aborted = True
                return report
        except UnknownTask:
            self._aborted = self._abort.is_set()
        return None

    def _is_to_abort(self) -> bool:
        """Whether the agent has yet to be told to abort."""
        return self._abort.is_set() and not self._aborted

    async def _look(self, endpoint: AgentEndpoint) -> TaskReport | None:
        """Read the order off the agent's status: at the end one question answers all.

        A status tells of the latest order only; the agent remembers older ones too. And an agent
        that cannot tell its status may still tell how the order failed.

        Returns:
            What the agent says; None where the abort came before its answer.
        """
        agents = self._tenant.ctx.agents
        try:
            self._status = await self._ask_status(endpoint)
            if self._status is None:
                return None
        except (Refused, InvalidAnswer) as error:
            log.debug("status_of_no_use", task_id=self._task_id, error=str(error))
        latest = self._status.task if self._status is not None else None
        if latest is not None and latest.task_id == self._task_id:
            return latest
        return await agents.task(endpoint, self._task_id)

    async def _ask_status(self, endpoint: AgentEndpoint) -> AgentStatus | None:
        agents, wait = self._tenant.ctx.agents, self._pace.wait
        if not wait or self._is_uncertain():
            return await agents.status(endpoint)
        question = agents.await_end(endpoint, self._task_id, wait)
        return await question if self._aborted else await unless(self._abort, question)

    async def _confirm(
        self, endpoint: AgentEndpoint, target: RolloutTarget, report: TaskReport
    ) -> Verdict | None:
        """An activation is a success once a status after it shows digest and health."""
        found = self._status
        if found is None or found.task != report:
            found = await self._tenant.ctx.agents.status(endpoint)
        why_not = doubt(found, instance_id=target.spec.instance_id, digest=target.spec.bundle_hash)
        if why_not is None:
            return success(report, found)
        await self._trouble.doubt(target, why_not)
        return None

    async def _go_on(self, target: RolloutTarget) -> None:
        """The agent works on the order: say so where something else was said before."""
        if self._aborted:
            text = "the agent was told to abort; it answers how it ended"
            await self._trouble.tell(target, conditions.CANCELLING, text)
        else:
            await self._trouble.over(target)
        self._works = True

    def _forced(self, target: RolloutTarget) -> bool:
        rollout = self._tenant.rollout(target.spec.rollout_name)
        return rollout is not None and cancel_mode(rollout) == "Force"

    async def _finish(self, target: RolloutTarget, verdict: Verdict) -> None:
        """Store how it ended, then give the slot back."""
        task_id, now = self._task_id, self._tenant.ctx.now()
        await self._tenant.write_target(
            target, lambda fresh: status.finished(fresh, task_id, verdict, now)
        )
        self._tenant.free(task_id)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until an abort is asked for."""
        if self._abort.is_set():
            await asyncio.sleep(min(seconds, self._tenant.timing.poll_max))
            return
        # Not wait_for: in Python 3.11 it loses a cancellation that comes with the event.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._abort.wait()
