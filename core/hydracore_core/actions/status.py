"""The status of an action after each decision; writing the same again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hydracore_core.actions.model import Finish, Start, Wait
from hydracore_crds import InstanceAction, conditions
from hydracore_crds.base import ConditionStatus, set_condition
from hydracore_crds.instance_action import (
    MAX_DETAIL_TEXT,
    MAX_DETAILS,
    Diagnostics,
    InstanceActionStatus,
)

_VERDICTS: Mapping[str, ConditionStatus] = {
    "succeeded": "True",
    "failed": "False",
    "uncertain": "Unknown",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run besides its outcome.

    Attributes:
        detail: For people.
        diagnostics: The report that it made.
        finished_at: When it ended, by what ran it.
    """

    detail: Mapping[str, str] | None = None
    diagnostics: Diagnostics | None = None
    finished_at: datetime | None = None


def waiting(action: InstanceAction, wait: Wait, now: datetime) -> InstanceActionStatus:
    """Return the status of one that cannot start yet."""
    status = action.status.model_copy(deep=True)
    status.state = "pending"
    status.message = wait.message
    return _judged(action, status, "Unknown", wait.reason, wait.message, now)


def started(action: InstanceAction, start: Start, now: datetime) -> InstanceActionStatus:
    """Return the status of one that is about to be sent."""
    status = action.status.model_copy(deep=True)
    status.state = "running"
    status.started_at = now
    status.deadline = start.deadline
    status.message = "it is being carried out"
    return _judged(action, status, "Unknown", conditions.RUNNING, status.message, now)


def finished(
    action: InstanceAction, finish: Finish, now: datetime, facts: Facts | None = None
) -> InstanceActionStatus:
    """Return the status of one that is over, or of which nobody knows more."""
    facts = facts or Facts()
    status = action.status.model_copy(deep=True)
    status.state = finish.state
    status.message = finish.message[:2048]
    if facts.detail is not None:
        status.detail = bounded(facts.detail)
    if facts.diagnostics is not None:
        status.diagnostics = facts.diagnostics
    status.completed_at = _end(status.started_at, facts.finished_at, now)
    if status.started_at is not None:
        took = status.completed_at - status.started_at
        status.duration_ms = max(0, round(took.total_seconds() * 1000))
    verdict = _VERDICTS[finish.state]
    return _judged(action, status, verdict, finish.reason, finish.message, now)


def bounded(detail: Mapping[str, str]) -> dict[str, str]:
    """Cut a detail so that it fits the schema."""
    kept = [(k[:63], v[:MAX_DETAIL_TEXT]) for k, v in detail.items() if k]
    return dict(kept[:MAX_DETAILS])


def _end(started_at: datetime | None, reported: datetime | None, now: datetime) -> datetime:
    """Return when it ended: what ran it knows best, unless its clock is plainly off."""
    if reported is not None and started_at is not None and started_at <= reported <= now:
        return reported
    return now


def _judged(
    action: InstanceAction,
    status: InstanceActionStatus,
    verdict: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
) -> InstanceActionStatus:
    generation = action.metadata.generation
    status.observed_generation = generation
    status.conditions = set_condition(
        status.conditions,
        conditions.SUCCEEDED,
        verdict,
        reason=reason,
        message=message,
        now=now,
        generation=generation,
    )
    return status
