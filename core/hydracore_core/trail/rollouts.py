"""The steps that a write of a Rollout's status takes."""

from __future__ import annotations

from collections.abc import Iterable

from hydracore_core.rollouts.wishes import ANNOTATION, cancel_mode
from hydracore_core.trail.actors import (
    OPERATOR,
    UNKNOWN,
    canceller,
    creator,
    named,
    pauser,
    resumer,
    retrier,
)
from hydracore_core.trail.steps import Step
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import find
from hydracore_crds.conditions import CANCELLED, CANCELLING, PROGRESSING
from hydracore_crds.rollout import FINAL_STATES, RolloutStatus


def rollout_steps(
    rollout: Rollout, new: RolloutStatus, targets: Iterable[RolloutTarget]
) -> list[Step]:
    """Return what happens to a rollout when its status becomes ``new``.

    Args:
        rollout: The rollout with its present status.
        new: The status that is about to be written.
        targets: Its own targets; they tell who has asked for a retry.
    """
    old, before, after = rollout.status, rollout.status.state or "queued", new.state or "queued"
    steps = [] if old.transitions else [_creation(rollout)]
    if before in FINAL_STATES:
        if after not in FINAL_STATES:
            steps.append(Step("reopened", after, _last_retrier(targets)))
        elif after != before:
            steps.append(Step("settled", after, OPERATOR, reason=_reason(new)))
            return steps
    if old.started_at is None and new.started_at is not None:
        steps.append(Step("started", "in_progress"))
    steps += _gates(rollout, new)
    steps += _approvals(rollout, new)
    if old.rollback is None and new.rollback is not None:
        asked = new.rollback.requested_by
        actor = _person(asked) if asked else OPERATOR
        steps.append(Step("rolling_back", after, actor, message=new.rollback.reason))
    if _reason(new) == CANCELLING and _reason(old) != CANCELLING:
        steps.append(Step("cancelling", after, canceller(rollout), reason=CANCELLING))
    if after in FINAL_STATES and before not in FINAL_STATES:
        steps.append(_end(rollout, new))
    return steps


def _creation(rollout: Rollout) -> Step:
    """Return the first step of all. It is noted late, when something is written at last."""
    at = rollout.metadata.creation_timestamp
    return Step("created", "queued", creator(rollout), at=at)


def _gates(rollout: Rollout, new: RolloutStatus) -> list[Step]:
    """Return pauses, halts and resumes. Whoever cancels a paused rollout does not resume it."""
    old, steps = rollout.status, list[Step]()
    was, is_ = old.state == "paused", new.state == "paused"
    halted = new.halted_at is not None and new.halted_at != old.halted_at
    goes_on = (new.state or "queued") in {"queued", "in_progress"}
    if was and cancel_mode(rollout) is None and (goes_on or (halted and is_)):
        by_mark = new.resumed_at is not None and new.resumed_at != old.resumed_at
        steps.append(
            Step(
                "resumed",
                "in_progress" if halted else new.state or "queued",
                resumer(rollout, by_mark=by_mark),
            )
        )
    if halted:
        steps.append(Step("halted", "paused", reason=_reason(new), message=new.halt_reason))
    elif is_ and not was:
        steps.append(Step("paused", "paused", pauser(rollout)))
    return steps


def _approvals(rollout: Rollout, new: RolloutStatus) -> list[Step]:
    """Return who approved waves that this write passes."""
    before = {number for number, wave in enumerate(rollout.status.waves or ()) if wave.approved_by}
    return [
        Step("approved", new.state or "queued", _person(wave.approved_by), message=wave.approval)
        for number, wave in enumerate(new.waves or ())
        if wave.approved_by and number not in before
    ]


def _person(name: str) -> str:
    return UNKNOWN if name == ANNOTATION else named(name)


def _end(rollout: Rollout, new: RolloutStatus) -> Step:
    reason, state = _reason(new), new.state
    if state == "cancelled":
        by_person = reason == CANCELLED and cancel_mode(rollout) is not None
        actor = canceller(rollout) if by_person else OPERATOR
        return Step("cancelled", state, actor, reason=reason, message=new.message)
    if state == "succeeded":
        return Step("succeeded", state, reason=reason, message=new.message)
    return Step("failed", "failed", reason=reason, message=new.message)


def _last_retrier(targets: Iterable[RolloutTarget]) -> str:
    """Return who has asked for the retry that is not settled yet."""
    open_ = [t for t in targets if t.spec.attempt > 1 and not _settled(t)]
    found = {retrier(t) for t in open_}
    return found.pop() if len(found) == 1 else UNKNOWN


def _settled(target: RolloutTarget) -> bool:
    attempt = target.status.attempt or 1
    return target.status.completed_at is not None and attempt >= target.spec.attempt


def _reason(status: RolloutStatus) -> str | None:
    condition = find(status.conditions, PROGRESSING)
    return condition.reason if condition is not None else None
