"""What an agent's answers mean for a target. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from hydracore_agentclient import AgentStatus, TaskReport
from hydracore_crds import conditions
from hydracore_crds.rollout_target import ResultStatus, TargetState, detail_text

MAX_TEXT = 2048
FAULTS: dict[str, tuple[str, ResultStatus]] = {
    "rolled_back": (conditions.ROLLED_BACK, "rolled_back"),
    "rejected": (conditions.REJECTED, "rejected"),
    "aborted": (conditions.ABORTED, "aborted"),
    "expired": (conditions.TIMEOUT, "timeout"),
}
"""Final states of an order other than ``activated``: reason and result of the target."""

WITHOUT_MESSAGE = {
    "rolled_back": "the new release did not become healthy; the agent runs the old one again",
    "rejected": "the agent refused the bundle",
    "aborted": "the agent aborted the order",
    "expired": "the order's deadline had passed before the agent could switch",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended.

    Attributes:
        state: The target's new state; ``queued`` where the order never went out.
        reason: Reason of its condition ``Succeeded``.
        message: Why, for people.
        result: Its ``lastResultStatus``; None where the agent was never told.
        detail: What the agent said.
    """

    state: TargetState
    reason: str
    message: str
    result: ResultStatus | None
    detail: dict[str, str] = field(default_factory=dict)


def plain(text: str | None) -> str:
    """Return an agent's text fit for a status: printable, valid Unicode, bounded."""
    clean = "".join(c if c.isprintable() else " " for c in (text or "")[:MAX_TEXT])
    return clean.encode("utf-8", "replace").decode("utf-8").strip()


def failure(report: TaskReport, *, forced: bool) -> Verdict | None:
    """Judge a final report that is no activation; None for any other.

    Args:
        report: The agent's report.
        forced: Whether the rollout was cancelled with Force, so that an abort was wanted.
    """
    fault = FAULTS.get(report.state)
    if fault is None:
        return None
    reason, result = fault
    state: TargetState = "cancelled" if forced and report.state == "aborted" else "failed"
    message = plain(report.message) or WITHOUT_MESSAGE[report.state]
    return Verdict(state, reason, message, result, detail_of(report))


def success(report: TaskReport, status: AgentStatus) -> Verdict:
    """Build the verdict of an activation that :func:`doubt` found nothing against."""
    detail = detail_of(report) | {"healthStatus": plain(status.health_status)}
    return Verdict(
        "succeeded",
        conditions.ACTIVATED,
        f"the agent runs {plain(status.version or report.version)} and is healthy",
        "activated",
        detail,
    )


def doubt(status: AgentStatus, *, instance_id: str, digest: str) -> str | None:
    """Say why a status after an activation does not prove success; None if it does.

    Source: design, Rollouts, "Success means".
    """
    if status.instance_id != instance_id:
        return f"the agent says that it is instance {plain(status.instance_id)[:64]!r}"
    if status.bundle_hash != digest:
        running = plain(status.bundle_hash)[:12] or "nothing"
        return f"the agent reports digest {running} after it activated {digest[:12]}"
    if status.on_trial:
        return "the new release is still on trial"
    if not status.healthy:
        return f"the agent is {plain(status.health_status)[:32] or 'not healthy'} after its restart"
    return None


def detail_of(report: TaskReport) -> dict[str, str]:
    """Return what people may want to know of a report, bounded for the schema."""
    facts = {
        "agentState": report.state,
        "version": plain(report.version),
        "runningHash": plain(report.running_hash),
    }
    return detail_text({name: text for name, text in facts.items() if text})
