"""What is believed about an agent's health, and when a failed poll changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hydracore_agentclient import AgentError, AgentStatus, InvalidAnswer, Refused, WrongIdentity
from hydracore_crds import Instance, conditions
from hydracore_crds.instance import HealthStatus

UNREACHABLE_AFTER = 3
"""So many polls must fail in a row before an agent counts as unreachable."""


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


def from_status(status: AgentStatus) -> Verdict:
    """Judge an answer that proved to be the instance's."""
    health: HealthStatus = status.health_status
    if not status.healthy:
        health = "unhealthy"
    messages = {
        "healthy": "the agent says that it is healthy",
        "degraded": "the agent works, but says that it is degraded",
        "unhealthy": "the agent says that it is unhealthy",
    }
    reason = conditions.UNHEALTHY if health == "unhealthy" else conditions.HEALTHY
    verdict = Verdict(health, reason, messages[health])
    if status.on_trial:  # it may yet go back to the runtime before
        return verdict
    return replace(verdict, version=status.version, bundle_hash=status.bundle_hash)


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
    if verdict.bundle_hash is None:
        return False
    runtime = status.runtime
    stored = (runtime.version, runtime.bundle_hash) if runtime else (None, None)
    return stored != (verdict.version, verdict.bundle_hash)


class Verdicts:
    """The latest verdict on each instance of this process; by instance id."""

    def __init__(self) -> None:
        self._verdicts: dict[str, Verdict] = {}
        self._failures: dict[str, int] = {}

    def get(self, instance_id: str) -> Verdict | None:
        """Return the verdict, or None where nothing is known yet."""
        return self._verdicts.get(instance_id)

    def answered(self, instance_id: str, status: AgentStatus) -> Verdict:
        """Take in a good answer; it counts at once."""
        self._failures.pop(instance_id, None)
        verdict = self._verdicts[instance_id] = from_status(status)
        return verdict

    def failed(self, instance_id: str, error: AgentError) -> Verdict | None:
        """Take in a failed poll; return the verdict that now holds, None if still none.

        Only the third failure in a row changes it, so that a restart goes by unnoticed. While it
        stays unreachable, the first message stays too: the same trouble is not told anew.
        """
        failures = self._failures[instance_id] = self._failures.get(instance_id, 0) + 1
        if failures >= UNREACHABLE_AFTER:
            new, old = from_error(error), self._verdicts.get(instance_id)
            if old is None or (old.health, old.reason) != (new.health, new.reason):
                self._verdicts[instance_id] = new
        return self._verdicts.get(instance_id)

    def forget(self, instance_id: str) -> None:
        """Drop what is known of an instance that is gone or no longer polled."""
        self._verdicts.pop(instance_id, None)
        self._failures.pop(instance_id, None)
