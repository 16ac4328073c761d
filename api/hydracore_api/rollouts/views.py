"""Rollouts and targets as REST shows them.

A pause is a gate: waiting targets stay ``queued`` in the cluster, and REST shows them as
``cancelled`` as long as it holds. The same goes for a cancel that the operator has not settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from hydracore_api.rollouts.schemas import (
    RolloutSummary,
    RolloutTargetView,
    RolloutTimeline,
    TimelineEntry,
)
from hydracore_core.rollouts.wishes import cancel_mode, paused_by, resumed_at
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import format_time
from hydracore_crds.rollout import FINAL_STATES, Counts

_EVER = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)


def final(rollout: Rollout) -> bool:
    """Whether the rollout has ended."""
    return rollout.status.state in FINAL_STATES


def paused(rollout: Rollout) -> bool:
    """Whether a person or the failure threshold holds the rollout.

    A resume counts as soon as it was asked for, also before the operator has seen it.
    """
    if final(rollout) or cancel_mode(rollout) is not None:
        return False
    if paused_by(rollout) is not None:
        return True
    if rollout.status.state != "paused":
        return False
    asked, status = resumed_at(rollout), rollout.status
    return asked is None or asked <= max(status.resumed_at or _NEVER, status.halted_at or _NEVER)


def state(rollout: Rollout) -> str:
    """Return the rollout's state as it is shown."""
    found = rollout.status.state or "queued"
    if final(rollout):
        return found
    if paused(rollout):
        return "paused"
    return "in_progress" if found == "paused" else found


def waiting_are_cancelled(rollout: Rollout) -> bool:
    """Whether waiting targets are shown as cancelled."""
    return paused(rollout) or (not final(rollout) and cancel_mode(rollout) is not None)


def summary(rollout: Rollout) -> RolloutSummary:
    """Return a rollout's line of the list."""
    counts = rollout.status.counts or Counts()
    hidden = counts.queued if waiting_are_cancelled(rollout) else 0
    return RolloutSummary(
        id=rollout.metadata.uid,
        scope=rollout.spec.scope,
        status=state(rollout),
        total_targets=counts.total,
        queued_targets=counts.queued - hidden,
        in_progress_targets=counts.in_progress,
        succeeded_targets=counts.succeeded,
        failed_targets=counts.failed,
        uncertain_targets=counts.uncertain,
        initiated_from_ip=rollout.spec.initiated_from_ip,
        metadata_json=_metadata(rollout, counts.cancelled + hidden),
        created_at=rollout.metadata.creation_timestamp,
        completed_at=rollout.status.completed_at,
    )


def target(rollout: Rollout, one: RolloutTarget) -> RolloutTargetView:
    """Return one target of a rollout."""
    status = one.status
    queued = (status.state or "queued") == "queued"
    return RolloutTargetView(
        id=one.metadata.uid,
        rollout_id=rollout.metadata.uid,
        rollout_scope=rollout.spec.scope,
        rollout_status=state(rollout),
        instance_id=one.spec.instance_id,
        bundle_hash=one.spec.bundle_hash,
        takes_back=one.spec.rollback_of is not None,
        status=target_state(rollout, one),
        celery_task_id=None if queued else status.task_id,
        scheduled_countdown_seconds=one.spec.scheduled_countdown_seconds,
        last_result_status=status.last_result_status,
        error_message=status.error_message,
        detail_json=dict(status.detail) if status.detail is not None else None,
        created_at=one.metadata.creation_timestamp,
        started_at=status.started_at,
        completed_at=status.completed_at,
    )


def target_state(rollout: Rollout, one: RolloutTarget) -> str:
    """Return a target's state as it is shown."""
    found = one.status.state or "queued"
    return "cancelled" if found == "queued" and waiting_are_cancelled(rollout) else found


def timeline(rollout: Rollout, targets: Sequence[RolloutTarget]) -> RolloutTimeline:
    """Return when each target ran."""
    ordered = sorted(targets, key=lambda t: (t.status.started_at or _EVER, t.spec.order))
    starts = [t.status.started_at for t in targets if t.status.started_at is not None]
    ends = [t.status.completed_at for t in targets if t.status.completed_at is not None]
    return RolloutTimeline(
        rollout_id=rollout.metadata.uid,
        scope=rollout.spec.scope,
        status=state(rollout),
        total_targets=sum(one.spec.rollback_of is None for one in targets),
        total_duration_seconds=_seconds(min(starts, default=None), max(ends, default=None)),
        created_at=rollout.metadata.creation_timestamp,
        completed_at=rollout.status.completed_at,
        timeline=[_entry(rollout, one) for one in ordered],
    )


def in_order(targets: Iterable[RolloutTarget]) -> list[RolloutTarget]:
    """Return targets in the plan's order."""
    return sorted(targets, key=lambda t: (t.spec.order, t.metadata.name))


def _entry(rollout: Rollout, one: RolloutTarget) -> TimelineEntry:
    status = one.status
    return TimelineEntry(
        target_id=one.metadata.uid,
        instance_id=one.spec.instance_id,
        instance_hostname=status.hostname,
        takes_back=one.spec.rollback_of is not None,
        status=target_state(rollout, one),
        last_result_status=status.last_result_status,
        error_message=status.error_message,
        scheduled_countdown_seconds=one.spec.scheduled_countdown_seconds,
        created_at=one.metadata.creation_timestamp,
        started_at=status.started_at,
        completed_at=status.completed_at,
        duration_seconds=_seconds(status.started_at, status.completed_at),
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None or end < start:
        return None
    return round((end - start).total_seconds(), 3)


def _resume_is_news(rollout: Rollout) -> bool:
    """Whether the status still speaks of a pause that was ended; the operator will write anew."""
    was_paused = rollout.status.state == "paused"
    return was_paused and cancel_mode(rollout) is None and not paused(rollout)


def _metadata(rollout: Rollout, cancelled: int) -> dict[str, Any]:
    artifact, skipped = rollout.status.artifact, rollout.status.skipped
    told = not _resume_is_news(rollout)
    return {
        "bundle": rollout.spec.bundle_name,
        "version": artifact.version if artifact else None,
        "override_window": rollout.spec.override_window,
        "initiated_by": rollout.spec.initiated_by,
        "paused_by": paused_by(rollout) if not final(rollout) else None,
        "skipped": skipped.count if skipped else 0,
        "skipped_reasons": dict(skipped.reasons) if skipped else {},
        "cancelled": cancelled,
        "halt_reason": rollout.status.halt_reason if told else None,
        "message": rollout.status.message if told else None,
        "plan_hash": rollout.status.plan_hash,
        "wave": rollout.status.wave,
        "waves": _waves(rollout),
    }


def _waves(rollout: Rollout) -> list[dict[str, Any]] | None:
    """Return the waves as they are planned and went; None where the rollout has none."""
    waves = rollout.status.waves
    if waves is None:
        return None
    return [
        {
            "number": number,
            "name": wave.name,
            "planned": wave.planned,
            "state": wave.state,
            "bakes_until": _text(wave.bakes_until),
            "approval": wave.approval,
            "approved_by": wave.approved_by,
            "passed_at": _text(wave.passed_at),
        }
        for number, wave in enumerate(waves, start=1)
    ]


def _text(time: datetime | None) -> str | None:
    return format_time(time) if time is not None else None
