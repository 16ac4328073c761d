"""The phase a rollout is in: its state, the reason of its conditions, and one line for people.

State strings are derived here and nowhere else.
"""

from __future__ import annotations

from collections import Counter

from hydracore_core.rollouts.phase import Phase
from hydracore_core.rollouts.returns import returning
from hydracore_core.rollouts.scope import RolloutScope
from hydracore_core.rollouts.texts import called, count
from hydracore_core.rollouts.wishes import cancelled_by, paused_by
from hydracore_crds.base import find
from hydracore_crds.conditions import (
    ALREADY_EXECUTED,
    BAKING,
    CANCELLED,
    CANCELLING,
    COMPLETED,
    DOES_NOT_FIT,
    NOTHING_TO_DO,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    TARGETS_FAILED,
    WAITING_FOR_WINDOW,
)
from hydracore_crds.rollout import RolloutState

_PATIENT = {QUEUED, CANCELLING, WAITING_FOR_WINDOW, DOES_NOT_FIT, BAKING}
"""Gates that open by themselves; with any other the rollout does not progress."""


def phase_of(rollout: RolloutScope) -> Phase:
    """Derive a rollout's phase from its targets as they are stored and from its gates."""
    if rollout.rollback is not None:
        return returning(rollout, _tally(rollout))
    if rollout.unfinished or rollout.in_wave:
        return _under_way(rollout)
    if rollout.refused is not None and rollout.cancel is None:
        return Phase("cancelled", ALREADY_EXECUTED, rollout.refused)
    known = rollout.begun or rollout.stored_final
    if rollout.cancel is not None or (rollout.admitted and known):
        return _ended(rollout)
    return _under_way(rollout)


def _ended(rollout: RolloutScope) -> Phase:
    counts = rollout.counts
    bad, good = counts.failed + counts.uncertain, counts.succeeded
    if rollout.rollout.status.state == "cancelled" or _cancelled(rollout, bad):
        by = cancelled_by(rollout.rollout) if rollout.cancel is not None else "a person"
        how = _tally(rollout) if counts.total else "before it had any target"
        return Phase("cancelled", CANCELLED, f"cancelled by {by}: {how}")
    if bad:
        return Phase("failed", TARGETS_FAILED, _tally(rollout))
    if good:
        return Phase("succeeded", COMPLETED, _tally(rollout))
    if counts.cancelled:
        return Phase("cancelled", CANCELLED, f"no target was executed: {_why_cancelled(rollout)}")
    skipped = rollout.rollout.status.skipped
    left = f"; {count(skipped.count, 'instance')} skipped" if skipped and skipped.count else ""
    return Phase("succeeded", NOTHING_TO_DO, f"no instance needs this bundle{left}")


def _cancelled(rollout: RolloutScope, bad: int) -> bool:
    """Whether a cancel ended it. One that came when all had succeeded stopped nothing."""
    if rollout.cancel is None or rollout.stored_final:
        return False
    counts = rollout.counts
    return bool(counts.cancelled or bad or not counts.succeeded)


def _under_way(rollout: RolloutScope) -> Phase:
    gate, progress = rollout.gate, _progress(rollout)
    reason, why = RUNNING, ""
    if gate is not None and (gate.reason not in _PATIENT or gate.reason == CANCELLING):
        reason, why = gate.reason, gate.message
    elif rollout.in_progress or rollout.starting:
        why = gate.message if gate is not None and gate.reason == DOES_NOT_FIT else ""
    elif gate is not None:
        reason, why = gate.reason, gate.message
    elif rollout.wait is not None:
        reason, why = rollout.wait.reason, rollout.wait.message
    else:
        reason = QUEUED
    message = why if not progress else f"{progress}; {why}" if why else progress
    blocked = gate is not None and gate.reason not in _PATIENT
    return Phase(_state(rollout), reason, message, "False" if blocked else "True")


def _state(rollout: RolloutScope) -> RolloutState:
    """Return the state of an unfinished rollout."""
    if rollout.cancel is None:
        if rollout.halt_reason is not None or paused_by(rollout.rollout) is not None:
            return "paused"
        if not rollout.in_progress and not rollout.executed:
            return "queued"
    return "in_progress"


def _progress(rollout: RolloutScope) -> str:
    if not rollout.counts.total:
        return ""
    flying, waiting = len(rollout.in_progress), len(rollout.queued)
    text = f"{_tally(rollout)}, {flying} in flight, {waiting} queued"
    text += f", {len(rollout.retrying)} to be tried again" if rollout.retrying else ""
    if rollout.waves is None or rollout.wave is None:
        return text
    return f"{called(rollout.wave, rollout.waves)}: {text}"


def _tally(rollout: RolloutScope) -> str:
    """Write what became of the targets: ``4 of 6 succeeded, 1 failed``."""
    counts = rollout.counts
    text = f"{counts.succeeded} of {count(counts.total, 'target')} succeeded"
    for number, word in (
        (counts.failed, "failed"),
        (counts.uncertain, "uncertain"),
        (counts.cancelled, "cancelled"),
    ):
        if number:
            text += f", {number} {word}"
    gone = rollout.removed.total
    return f"{text} ({gone} of them deleted by hand)" if gone else text


def _why_cancelled(rollout: RolloutScope) -> str:
    reasons: Counter[str] = Counter()
    for target in rollout.cancelled:
        condition = find(target.status.conditions, SUCCEEDED)
        reasons[condition.reason if condition is not None else CANCELLED] += 1
    if rollout.removed.cancelled:
        reasons["deleted by hand"] = rollout.removed.cancelled
    return ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
