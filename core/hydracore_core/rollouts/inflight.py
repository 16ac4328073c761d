"""Targets in progress, and uncertain ones that evidence may still settle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hydracore_core.rollouts.instances import gone
from hydracore_core.rollouts.model import UNCERTAIN_TRACKED_FOR, Abort, Settle, Track
from hydracore_core.rollouts.scope import TenantScope, queue_key
from hydracore_core.rollouts.texts import at
from hydracore_crds import RolloutTarget
from hydracore_crds.base import find
from hydracore_crds.conditions import (
    CANCELLING,
    INSTANCE_DELETED,
    RESOLVING,
    SUCCEEDED,
    TIMEOUT,
    UNPROVEN,
    UNREACHABLE,
)
from hydracore_crds.rollout import DEFAULT_TARGET_TIMEOUT
from hydracore_crds.rollout_target import ResultStatus, TargetState

_LATE: dict[str, tuple[str, ResultStatus, str]] = {
    "": (TIMEOUT, "timeout", "the agent had not finished"),
    RESOLVING: (UNREACHABLE, "unreachable", "the agent did not answer"),
    UNPROVEN: (TIMEOUT, "timeout", "the agent proved no success"),
}
"""By what was last told of a target in progress: reason, result and words of its expiry."""


def follow(scope: TenantScope) -> None:
    """Settle, abort or track all targets whose order is or may be out."""
    for rollout in scope.rollouts:
        timeout = rollout.rollout.spec.strategy.target_timeout_seconds
        for target in rollout.in_progress:
            if _follow_running(scope, target, timeout, force=rollout.cancel == "Force"):
                rollout.drained += 1
        for target in sorted(rollout.back.in_progress, key=queue_key):
            _follow_running(scope, target, timeout, force=False)
        if not rollout.rollout.deleting:
            _follow_uncertain(scope, rollout.name, rollout.uncertain + rollout.back.uncertain)
    for target in scope.orphans:
        if target.status.state == "in_progress":
            _follow_running(scope, target, DEFAULT_TARGET_TIMEOUT, force=False)


def _follow_running(
    scope: TenantScope, target: RolloutTarget, timeout: int, *, force: bool
) -> bool:
    """Decide about one target in progress; return whether it is settled here and now."""
    lost = gone(scope, target)
    if lost is not None:
        scope.out.settle.append(_settle(target, "cancelled", INSTANCE_DELETED, lost))
        return True
    deadline = _deadline(scope, target, timeout)
    if scope.now >= deadline:
        scope.out.settle.append(_expire(scope, target, deadline))
        return True
    scope.wakes.append(deadline)
    task_id = target.status.task_id
    if task_id is not None:
        name, rollout = target.metadata.name, target.spec.rollout_name
        if force and _reason(target) != CANCELLING:
            scope.out.abort.append(Abort(rollout, name, task_id))
        scope.out.track.append(Track(rollout, name, task_id, deadline))
    return False


def _follow_uncertain(
    scope: TenantScope, rollout_name: str, uncertain: Sequence[RolloutTarget]
) -> None:
    for target in sorted(uncertain, key=queue_key):
        status = target.status
        if status.task_id is None or status.deadline is None:
            continue
        until = status.deadline + UNCERTAIN_TRACKED_FOR
        if scope.now < until and gone(scope, target) is None:
            name = target.metadata.name
            scope.out.track.append(Track(rollout_name, name, status.task_id, status.deadline))
            scope.wakes.append(until)


def _deadline(scope: TenantScope, target: RolloutTarget, timeout: int) -> datetime:
    """Return the target's deadline; where none is stored, the ledger's, else a derived one."""
    status = target.status
    if status.deadline is not None:
        return status.deadline
    slot = scope.slots.get(status.task_id or "")
    if slot is not None:
        return slot.deadline
    if status.started_at is not None:
        return status.started_at + timedelta(seconds=timeout)
    return scope.now


def _expire(scope: TenantScope, target: RolloutTarget, deadline: datetime) -> Settle:
    """Give a target up at its deadline; say what stood in the way of its outcome."""
    instance = scope.instances[target.spec.instance_name]
    condition = find(target.status.conditions, SUCCEEDED)
    told = condition.reason if condition is not None else None
    reason, result, what = _LATE.get(told or "", _LATE[""])
    if told not in _LATE and instance.status.health_status == "unreachable":
        reason, result, what = _LATE[RESOLVING]
    cause = condition.message if condition is not None and told in _LATE else ""
    text = f"{what} by the deadline {at(deadline)}: the outcome is unknown"
    text += f" ({cause[:512]})" if cause else ""
    return _settle(target, "uncertain", reason, text, result)


def _reason(target: RolloutTarget) -> str | None:
    condition = find(target.status.conditions, SUCCEEDED)
    return condition.reason if condition is not None else None


def _settle(
    target: RolloutTarget,
    state: TargetState,
    reason: str,
    text: str,
    result: ResultStatus | None = None,
) -> Settle:
    return Settle(
        rollout_name=target.spec.rollout_name,
        target_name=target.metadata.name,
        attempt=target.status.attempt or target.spec.attempt,
        was="in_progress",
        state=state,
        reason=reason,
        message=text,
        result=result,
    )
