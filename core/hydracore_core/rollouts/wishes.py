"""What people asked of a rollout, by whatever door: spec, annotation or deletion."""

from __future__ import annotations

from datetime import UTC, datetime

from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.names import (
    APPROVE_ANNOTATION,
    APPROVED_BY_ANNOTATION,
    CANCEL_ANNOTATION,
    CANCELLED_BY_ANNOTATION,
    PAUSED_BY_ANNOTATION,
    RESUMED_AT_ANNOTATION,
    ROLLBACK_ANNOTATION,
    ROLLED_BACK_BY_ANNOTATION,
)
from hydracore_crds.rollout import CancelMode

ANNOTATION = "its annotation"
"""Stands for whoever wrote an annotation without a name beside it."""


def cancel_mode(rollout: Rollout) -> CancelMode | None:
    """Return how the rollout is cancelled, or None.

    The stronger of spec and annotation holds. An annotation with any other text counts as
    ``Graceful``: whoever set it wanted the rollout to stop. Deletion is a graceful cancel.
    """
    asked = rollout.metadata.annotations.get(CANCEL_ANNOTATION)
    if rollout.spec.cancel == "Force" or asked == "Force":
        return "Force"
    if rollout.spec.cancel is not None or asked or rollout.deleting:
        return "Graceful"
    return None


def called_off(rollout: Rollout, target: RolloutTarget) -> bool:
    """Whether a target must not be started any more: a cancel does not stop what takes back."""
    if target.spec.rollback_of is not None:
        return rollout.deleting
    return cancel_mode(rollout) is not None


def cancelled_by(rollout: Rollout) -> str:
    """Return by whom or what the rollout is cancelled, for a message."""
    actor = rollout.metadata.annotations.get(CANCELLED_BY_ANNOTATION)
    if actor:
        return actor
    if rollout.spec.cancel is not None:
        return "spec.cancel"
    return "its deletion" if rollout.deleting else ANNOTATION


def paused_by(rollout: Rollout) -> str | None:
    """Return who paused the rollout: an actor, or ``spec.paused``; None if nobody did."""
    actor = rollout.metadata.annotations.get(PAUSED_BY_ANNOTATION)
    if rollout.spec.paused:
        return "spec.paused"
    return actor or None


def resumed_at(rollout: Rollout) -> datetime | None:
    """Return the time in the annotation ``resumed-at`` (aware UTC, whole milliseconds).

    Finer digits are cut as they are where the honoured time is stored: else it would look newer
    than itself for ever. None where it is absent or is no RFC 3339 time with a zone: a time that
    nobody can place must not clear a halt.
    """
    text = rollout.metadata.annotations.get(RESUMED_AT_ANNOTATION)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None:
        return None
    return found.astimezone(UTC).replace(microsecond=found.microsecond // 1000 * 1000)


def approval(rollout: Rollout) -> str | None:
    """Return what the rollout's annotation approves: ``<wave>@<plan hash>``."""
    return rollout.metadata.annotations.get(APPROVE_ANNOTATION)


def approved_by(rollout: Rollout) -> str:
    """Return who approved, for the record, cut to what a status holds."""
    return (rollout.metadata.annotations.get(APPROVED_BY_ANNOTATION) or ANNOTATION)[:253]


def rollback_asked_by(rollout: Rollout) -> str | None:
    """Return who asked to take back what the rollout has updated; None if nobody did."""
    notes = rollout.metadata.annotations
    if not notes.get(ROLLBACK_ANNOTATION):
        return None
    return (notes.get(ROLLED_BACK_BY_ANNOTATION) or ANNOTATION)[:253]
