"""The phase of a rollout that takes back what it has updated."""

from __future__ import annotations

from hydracore_core.rollouts.phase import Phase
from hydracore_core.rollouts.scope import RolloutScope
from hydracore_core.rollouts.wishes import paused_by
from hydracore_crds.conditions import (
    PAUSED,
    PLATFORM_FROZEN,
    ROLLBACK_INCOMPLETE,
    ROLLED_BACK_ALL,
    ROLLING_BACK,
    SKIP_NEWER_ROLLOUT,
    SKIP_NOT_FOUND,
    WAITING_FOR_WINDOW,
)

_HELD_BY = {PAUSED, PLATFORM_FROZEN, WAITING_FOR_WINDOW}
_NO_NEED = {SKIP_NOT_FOUND, SKIP_NEWER_ROLLOUT}
"""Such instances do not run because of this rollout what they run."""


def returning(rollout: RolloutScope, tally: str) -> Phase:
    """Derive the phase of a rollout whose rollback has begun.

    Args:
        rollout: The rollout.
        tally: What had become of its targets.
    """
    if not rollout.returning:
        return _ended(rollout, tally)
    flying = len(rollout.back.in_progress) + len(rollout.in_progress)
    gate, paused = rollout.gate or rollout.wait, paused_by(rollout.rollout) is not None
    held = gate is not None and (paused or not (flying or rollout.starting))
    text = f"{tally}; taking back: {_progress(rollout)}, {flying} in flight"
    text += f"; {gate.message}" if gate is not None and held else ""
    waits = gate is not None and held and gate.reason in _HELD_BY
    return Phase(
        state="paused" if paused else "in_progress",
        reason=gate.reason if gate is not None and waits else ROLLING_BACK,
        message=f"{text}; why: {_reason(rollout)}",
        progressing="False" if paused else "True",
    )


def _ended(rollout: RolloutScope, tally: str) -> Phase:
    """A rollout that a person took back was called off; one that took itself back has failed."""
    skipped = rollout.rollback.skipped if rollout.rollback is not None else None
    reasons = skipped.reasons if skipped is not None else {}
    whole = len(rollout.back.succeeded) == rollout.back.there.total and reasons.keys() <= _NO_NEED
    text = f"{tally}; taken back: {_progress(rollout)}"
    if reasons:
        listed = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        text += f"; left as they are: {listed}"
    asked = rollout.rollback is not None and rollout.rollback.requested_by is not None
    return Phase(
        state="cancelled" if asked else "failed",
        reason=ROLLED_BACK_ALL if whole else ROLLBACK_INCOMPLETE,
        message=f"{text}; why: {_reason(rollout)}",
    )


def _reason(rollout: RolloutScope) -> str:
    return rollout.rollback.reason if rollout.rollback is not None else ""


def _progress(rollout: RolloutScope) -> str:
    """Write how far it is: ``1 of 3, 1 failed``."""
    counts = rollout.back.there
    text = f"{counts.succeeded} of {counts.total}"
    for number, word in (
        (counts.failed, "failed"),
        (counts.uncertain, "uncertain"),
        (counts.cancelled, "cancelled"),
    ):
        text += f", {number} {word}" if number else ""
    return text
