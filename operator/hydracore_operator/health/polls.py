"""One poll of one agent: ask, judge, note, tell; and now and then have it examine itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from hydracore_agentclient import AgentEndpoint, AgentError, AgentStatus
from hydracore_crds import Instance
from hydracore_crds.names import PAUSED_ANNOTATION
from hydracore_history import DeepHealthReport
from hydracore_operator.context import Context
from hydracore_operator.health.examinations import Examinations
from hydracore_operator.health.gauge import Gauge
from hydracore_operator.health.recorder import Recorder
from hydracore_operator.health.verdicts import Seen, Verdict, Verdicts, differs

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Asked:
    """What was found out about an Instance the last time; void once the store has another object.

    An Instance is dozens of objects, which need not be looked through at every poll of a fleet
    that is well.
    """

    instance: Instance
    endpoint: AgentEndpoint
    agrees_with: Verdict | None = None
    """The verdict of which the Instance's status says just the same."""


class Polls:
    """Asks agents, one at a time; what it finds goes where it was told.

    Args:
        ctx: The outer world.
        verdicts: Where verdicts go.
        recorder: Where outcomes for SQL go.
        examinations: When an agent is to examine itself.
        gauge: Where polls are counted.
        wake: Has the Instance of this key reconciled.
    """

    def __init__(
        self,
        ctx: Context,
        verdicts: Verdicts,
        recorder: Recorder,
        examinations: Examinations,
        gauge: Gauge,
        wake: Callable[[str], None],
    ) -> None:
        self._ctx = ctx
        self._verdicts = verdicts
        self._recorder = recorder
        self._examinations = examinations
        self._gauge = gauge
        self._wake = wake
        self._asked: dict[str, _Asked] = {}

    async def one(self, key: str, lag: float = 0.0) -> Seen | None:
        """Ask one agent, judge the answer, note it for SQL, wake the reconcile if it is news.

        Args:
            key: Of its Instance.
            lag: How much later than planned this happens, in seconds.

        Returns:
            What the poll has led to; None where there is nobody to ask.
        """
        asked = self._about(key)
        if asked is None:
            return None
        endpoint = asked.endpoint
        clock, id_ = self._ctx.clock, endpoint.instance_id
        began = clock.monotonic()
        outcome: AgentStatus | AgentError
        try:
            outcome = await self._ctx.agents.poll(endpoint)
        except AgentError as error:
            outcome = error
        now = clock.monotonic()
        answered = isinstance(outcome, AgentStatus)
        self._gauge.polled(now, lag, now - began if answered else None)
        current = self._about(key)
        if current is None or current.endpoint != endpoint:
            return None  # it went, moved or became another while it was asked
        if isinstance(outcome, AgentStatus):
            self._recorder.answered(id_, self._ctx.now(), outcome, now - began)
        else:
            self._recorder.failed(id_, self._ctx.now(), outcome.message)
        seen = self._verdicts.take(current.instance, id_, outcome, now)
        self._tell(current, seen)
        if isinstance(outcome, AgentStatus):
            well = outcome.healthy and outcome.health_status == "healthy"
            if self._examinations.due(id_, seen, now, well=well):
                await self._examine(key, endpoint)
        return seen

    def forget(self, key: str) -> None:
        """Drop what is remembered of an Instance that is gone or no longer polled."""
        self._asked.pop(key, None)

    def _about(self, key: str) -> _Asked | None:
        instance = self._ctx.stores.instances.get(key)
        known = self._asked.get(key)
        if known is not None and known.instance is instance:
            return known
        endpoint = endpoint_of(instance) if instance is not None else None
        if instance is None or endpoint is None:
            self._asked.pop(key, None)
            return None
        known = self._asked[key] = _Asked(instance, endpoint)
        return known

    def _tell(self, asked: _Asked, seen: Seen) -> None:
        """Say what is news, and have the status brought in line with it.

        A paused Instance is left as it is until it is no longer paused, which wakes it anyway.
        """
        verdict, instance = seen.verdict, asked.instance
        if verdict is None or (verdict is asked.agrees_with and not seen.changed):
            return
        if seen.changed:
            log.info(
                "health_changed",
                instance=instance.key,
                health=verdict.health,
                reason=verdict.reason,
                why=verdict.message,
            )
        paused = instance.metadata.annotations.get(PAUSED_ANNOTATION) == "true"
        if not differs(verdict, instance):
            asked.agrees_with = verdict
        elif not paused:
            self._wake(instance.key)

    async def _examine(self, key: str, endpoint: AgentEndpoint) -> None:
        report, fault = None, None
        try:
            report = (await self._ctx.agents.deep_health(endpoint)).to_wire()
        except AgentError as error:
            fault = error.message
        self._gauge.examinations += 1
        current = self._ctx.stores.instances.get(key)
        if current is not None and endpoint_of(current) == endpoint:
            found = DeepHealthReport(endpoint.instance_id, self._ctx.now(), report, fault)
            self._recorder.examined(found)


def endpoint_of(instance: Instance) -> AgentEndpoint | None:
    """Return how to ask the agent, if the Instance runs and its agent can prove who it is."""
    status, id_ = instance.status, instance.spec.id
    if status.state != "running" or instance.deleting or id_ is None:
        return None
    if status.agent_url is None or status.agent_public_key is None:
        return None
    return AgentEndpoint(status.agent_url, id_, status.agent_public_key)
