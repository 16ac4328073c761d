"""The statuses that the executor writes to targets. Pure: from a target, its next status.

Every function returns None where the target is not (or no longer) in the state that the write
is about; so a decision made on an old copy can be made again on a fresh one, and succeeded,
failed and cancelled stay.
"""

from __future__ import annotations

from datetime import datetime

from hydracore_core.rollouts.model import Requeue, Settle
from hydracore_crds import Instance, RolloutTarget, conditions
from hydracore_crds.base import ConditionStatus, set_condition
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_operator.rollouts.outcome import Verdict

OPEN_STATES = frozenset({"in_progress", "uncertain"})
"""States that evidence of the agent may still settle."""


def is_queued(target: RolloutTarget, attempt: int) -> bool:
    """Whether the target waits for this attempt. A target without status is queued."""
    return target.spec.attempt == attempt and (target.status.state or "queued") == "queued"


def is_open(target: RolloutTarget, task_id: str) -> bool:
    """Whether the order ``task_id`` is the target's present one and not settled for good."""
    return target.status.task_id == task_id and target.status.state in OPEN_STATES


def started(
    target: RolloutTarget,
    *,
    attempt: int,
    task_id: str,
    deadline: datetime,
    instance: Instance | None,
    now: datetime,
) -> RolloutTargetStatus | None:
    """Queued → in_progress: written before the order goes out."""
    if target.deleting or not is_queued(target, attempt):
        return None
    runtime = instance.status.runtime if instance is not None else None
    status = target.status.model_copy(
        update={
            "state": "in_progress",
            "attempt": attempt,
            "hostname": instance.status.hostname if instance is not None else None,
            "previous_bundle_hash": runtime.bundle_hash if runtime is not None else None,
            "task_id": task_id,
            "started_at": now,
            "deadline": deadline,
            "completed_at": None,
            "last_result_status": None,
            "error_message": None,
            "detail": None,
        }
    )
    text = f"attempt {attempt} has a slot; the agent may switch until its deadline"
    return _condition(target, status, "Unknown", conditions.RUNNING, text, now)


def finished(
    target: RolloutTarget, task_id: str, verdict: Verdict, now: datetime
) -> RolloutTargetStatus | None:
    """in_progress or uncertain → what the agent's evidence says; queued if it was never told."""
    if not is_open(target, task_id):
        return None
    if verdict.state == "queued":
        return _put_back(target, verdict, now)
    good = verdict.state == "succeeded"
    status = target.status.model_copy(
        update={
            "state": verdict.state,
            "completed_at": now,
            "last_result_status": verdict.result,
            "error_message": None if good else verdict.message,
            "detail": verdict.detail or None,
        }
    )
    flag: ConditionStatus = "True" if good else "False"
    return _condition(target, status, flag, verdict.reason, verdict.message, now)


def _put_back(target: RolloutTarget, verdict: Verdict, now: datetime) -> RolloutTargetStatus:
    """Return the status of an attempt whose order never went out: it waits as if never begun."""
    status = RolloutTargetStatus(
        state="queued", attempt=target.status.attempt, conditions=target.status.conditions
    )
    return _condition(target, status, "Unknown", verdict.reason, verdict.message, now)


def settled(target: RolloutTarget, intent: Settle, now: datetime) -> RolloutTargetStatus | None:
    """Write what the plan decided without the agent: cancelled, uncertain, failed."""
    state = target.status.state or "queued"
    present = target.status.attempt or target.spec.attempt
    if state != intent.was or intent.attempt not in {present, target.spec.attempt}:
        return None
    status = target.status.model_copy(
        update={
            "state": intent.state,
            "attempt": intent.attempt,
            "completed_at": now,
            "last_result_status": intent.result,
            "error_message": intent.message,
        }
    )
    flag: ConditionStatus = "Unknown" if intent.state == "uncertain" else "False"
    return _condition(target, status, flag, intent.reason, intent.message, now)


def may_raise(target: RolloutTarget, attempt: int) -> bool:
    """Whether the operator may raise the target to this attempt: it failed in the one before."""
    done = target.status.attempt == target.spec.attempt == attempt - 1
    return done and target.status.state == "failed" and not target.deleting


def requeued(target: RolloutTarget, intent: Requeue, now: datetime) -> RolloutTargetStatus | None:
    """Failed or uncertain → queued: an accepted retry, under its new attempt."""
    if target.status.state not in {"failed", "uncertain"} or target.spec.attempt != intent.attempt:
        return None
    status = RolloutTargetStatus(
        state="queued", attempt=intent.attempt, conditions=target.status.conditions
    )
    text = f"attempt {intent.attempt} waits for its turn"
    return _condition(target, status, "Unknown", conditions.QUEUED, text, now)


def retry_refused(
    target: RolloutTarget, attempt: int, message: str, now: datetime
) -> RolloutTargetStatus | None:
    """A retry that must not happen: the state stays, the condition says why."""
    if target.spec.attempt != attempt or target.status.state not in {"failed", "uncertain"}:
        return None
    flag: ConditionStatus = "False" if target.status.state == "failed" else "Unknown"
    return _condition(target, target.status, flag, conditions.RETRY_REFUSED, message, now)


def noted(
    target: RolloutTarget, task_id: str, reason: str, message: str, now: datetime
) -> RolloutTargetStatus | None:
    """in_progress, with another reason: what keeps the outcome unknown, or that it is gone."""
    if target.status.task_id != task_id or target.status.state != "in_progress":
        return None
    return _condition(target, target.status, "Unknown", reason, message, now)


def _condition(
    target: RolloutTarget,
    status: RolloutTargetStatus,
    flag: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
) -> RolloutTargetStatus:
    generation = target.metadata.generation
    found = set_condition(
        status.conditions,
        conditions.SUCCEEDED,
        flag,
        reason=reason,
        message=message,
        now=now,
        generation=generation,
    )
    return status.model_copy(update={"conditions": found, "observed_generation": generation})
