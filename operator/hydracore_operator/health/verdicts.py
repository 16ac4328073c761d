"""What is believed about each agent, in words; when it changes is decided by the core."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hydracore_agentclient import AgentError, AgentStatus, InvalidAnswer, Refused, WrongIdentity
from hydracore_core.health import LEVELS, Belief, Limits, observe, remembered, spend
from hydracore_crds import Instance, conditions
from hydracore_crds.base import find
from hydracore_crds.instance import HealthStatus

HALF_LIFE_POLLS = 30
"""A penalty for a change decays to its half in the time of so many polls."""

FLAPPING_MESSAGE = (
    "the agent's health keeps changing; the worst that was seen is shown until it has been steady "
    "for a while (docs/health.md)"
)


_MESSAGES = {
    "healthy": "the agent says that it is healthy",
    "degraded": "the agent works, but says that it is degraded",
    "unhealthy": "the agent says that it is unhealthy",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One belief about one agent.

    Attributes:
        health: Goes into ``status.healthStatus``.
        reason: Reason of the condition AgentHealthy.
        message: Its message; without figures that change with each poll.
        version: The runtime's version; None where it is not known now.
        bundle_hash: The runtime's digest; likewise.
    """

    health: HealthStatus
    reason: str
    message: str
    version: str | None = None
    bundle_hash: str | None = None

    @property
    def good(self) -> bool:
        """Whether the agent works, if not perfectly."""
        return self.health in ("healthy", "degraded")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one poll has led to.

    Attributes:
        verdict: What holds now; None while nothing is known.
        changed: Whether it is news.
        settled: Whether the poll agrees with what is believed; if not, ask again soon.
    """

    verdict: Verdict | None
    changed: bool
    settled: bool


def limits_for(interval_seconds: float) -> Limits:
    """Return the core's limits for agents that are polled at this interval."""
    return Limits(half_life=HALF_LIFE_POLLS * interval_seconds)


def from_status(status: AgentStatus) -> Verdict:
    """Judge an answer that proved to be the instance's."""
    health: HealthStatus = status.health_status if status.healthy else "unhealthy"
    reason = conditions.UNHEALTHY if health == "unhealthy" else conditions.HEALTHY
    if status.on_trial:  # it may yet go back to the runtime before
        return Verdict(health, reason, _MESSAGES[health])
    return Verdict(health, reason, _MESSAGES[health], status.version, status.bundle_hash)


def from_error(error: AgentError) -> Verdict:
    """Judge a poll that failed, as if it had failed often enough."""
    reason = conditions.UNREACHABLE
    if isinstance(error, WrongIdentity):
        reason = conditions.IDENTITY_MISMATCH
    elif isinstance(error, InvalidAnswer | Refused):
        reason = conditions.INVALID_ANSWER
    return Verdict("unreachable", reason, error.message)


def differs(verdict: Verdict, instance: Instance) -> bool:
    """Whether the Instance's stored status says something else than the verdict."""
    status = instance.status
    if status.health_status != verdict.health:
        return True
    condition = find(status.conditions, conditions.AGENT_HEALTHY)
    if condition is None or (condition.status == "True") != verdict.good:
        return True
    if was_flapping(instance) != (verdict.reason == conditions.FLAPPING):
        return True
    if verdict.bundle_hash is None:
        return False
    runtime = status.runtime
    stored = (runtime.version, runtime.bundle_hash) if runtime else (None, None)
    return stored != (verdict.version, verdict.bundle_hash)


def was_flapping(instance: Instance) -> bool:
    """Whether the stored status says that the agent is flapping."""
    condition = find(instance.status.conditions, conditions.AGENT_HEALTHY)
    return condition is not None and condition.reason == conditions.FLAPPING


@dataclass(slots=True)
class _State:
    """What is known about one agent."""

    belief: Belief
    plain: Verdict | None = None
    """The verdict that the steady outcome stands for, were there no damping."""
    verdict: Verdict | None = None
    calm: tuple[AgentStatus, Seen] | None = None
    """An answer that was no news when it came last, and what it led to."""


class Verdicts:
    """The latest verdict on each instance of this process; by instance id.

    Args:
        limits: When a belief changes.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._states: dict[str, _State] = {}

    def get(self, instance_id: str) -> Verdict | None:
        """Return the verdict, or None where nothing is known yet."""
        state = self._states.get(instance_id)
        return state.verdict if state is not None else None

    def take(
        self, instance: Instance, instance_id: str, outcome: AgentStatus | AgentError, now: float
    ) -> Seen:
        """Take in the outcome of a poll.

        Args:
            instance: Whose agent was asked. What its status says is what a process that has just
                started believes.
            instance_id: Its id.
            outcome: The answer, or why there is none.
            now: Seconds that never go backwards.
        """
        state = self._states.get(instance_id)
        if state is None:
            state = self._states[instance_id] = _State(_stored_belief(instance, now))
        calm = state.calm
        if calm is not None and outcome is calm[0] and state.belief.resting:
            return calm[1]  # nearly every poll of a fleet that is well
        fresh = from_error(outcome) if isinstance(outcome, AgentError) else from_status(outcome)
        level = fresh.health if fresh.health != "unknown" else "unreachable"
        state.belief = observe(state.belief, level, now, self.limits)
        if state.belief.steady == level:
            self._settle(state, fresh, now)
        elif state.plain is not None and fresh.bundle_hash is not None:
            self._settle(state, _with_runtime(state.plain, fresh), now)
        before, state.verdict = state.verdict, _in_words(state)
        changed = state.verdict is not None and state.verdict != before
        if before is None and state.verdict is not None:
            changed = differs(state.verdict, instance)  # a start is no news of its own
        seen = Seen(state.verdict, changed, state.belief.settled)
        state.calm = None
        if isinstance(outcome, AgentStatus) and _is_no_news(state, fresh, seen):
            state.calm = outcome, seen
        return seen

    def forget(self, instance_id: str) -> None:
        """Drop what is known of an instance that is gone or no longer polled."""
        self._states.pop(instance_id, None)

    def _settle(self, state: _State, fresh: Verdict, now: float) -> None:
        """Say it in the words of ``fresh``, unless that says nothing new or too often.

        The same trouble is not told anew, whatever the message of the single poll.
        """
        old = state.plain
        if fresh.bundle_hash is None and old is not None:
            fresh = _with_runtime(fresh, old)
        if old is None or old.health != fresh.health:
            state.plain = _with_runtime(fresh, old) if old and old.bundle_hash else fresh
        if state.plain is None or _news(state.plain) == _news(fresh):
            return
        if old is not None:
            state.belief, allowed = spend(state.belief, now, self.limits)
            if not allowed:
                return
        state.plain = fresh


def _is_no_news(state: _State, fresh: Verdict, seen: Seen) -> bool:
    """Whether all of the answer is in the verdict, so that it says nothing the next time either."""
    said = state.plain is not None and _news(state.plain) == _news(fresh)
    return said and seen.verdict is state.plain and not seen.changed


def _news(verdict: Verdict) -> tuple[str | None, ...]:
    return (verdict.reason, verdict.version, verdict.bundle_hash)


def _with_runtime(verdict: Verdict, of: Verdict) -> Verdict:
    return replace(verdict, version=of.version, bundle_hash=of.bundle_hash)


def _in_words(state: _State) -> Verdict | None:
    shown = state.belief.shown
    if shown is None:
        return None
    if state.belief.flapping:
        flapping = Verdict(shown, conditions.FLAPPING, FLAPPING_MESSAGE)
        return _with_runtime(flapping, state.plain) if state.plain is not None else flapping
    if state.plain is None or state.plain.health != shown:
        return None  # known from before this process only: the stored words stay
    return state.plain


def _stored_belief(instance: Instance, now: float) -> Belief:
    stored = instance.status.health_status
    known = next((level for level in LEVELS if level == stored), None)
    if known is None:
        return Belief(at=now)
    return remembered(known, now, flapping=was_flapping(instance))
