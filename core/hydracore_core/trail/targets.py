"""The steps that a write of a RolloutTarget's status takes."""

from __future__ import annotations

from hydracore_core.rollouts.wishes import cancel_mode
from hydracore_core.trail.actors import OPERATOR, canceller, retrier
from hydracore_core.trail.steps import Step
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import find
from hydracore_crds.conditions import ABORTED, CANCELLED, SUCCEEDED
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_crds.transition import TransitionEvent

_BY_PERSON = {CANCELLED, ABORTED}


def target_steps(
    target: RolloutTarget, new: RolloutTargetStatus, rollout: Rollout | None
) -> list[Step]:
    """Return what happens to a target when its status becomes ``new``: one step at most.

    Args:
        target: The target with its present status.
        new: The status that is about to be written.
        rollout: The rollout that it belongs to, if that is still there.
    """
    before, after = target.status.state or "queued", new.state or "queued"
    if before == after:
        return []
    condition = find(new.conditions, SUCCEEDED)
    reason = condition.reason if condition is not None else None
    event, actor = _event(before, after), OPERATOR
    if event == "retried":
        actor = retrier(target)
    elif reason in _BY_PERSON and rollout is not None and cancel_mode(rollout) is not None:
        actor = canceller(rollout)
    return [
        Step(event, after, actor, new.attempt or target.spec.attempt, reason, new.error_message)
    ]


def _event(before: str, after: str) -> TransitionEvent:
    if after == "queued":
        return "put_back" if before == "in_progress" else "retried"
    if after == "in_progress":
        return "started"
    if before == "uncertain":
        return "settled"
    ends: dict[str, TransitionEvent] = {
        "succeeded": "succeeded",
        "failed": "failed",
        "cancelled": "cancelled",
    }
    return ends.get(after, "uncertain")
