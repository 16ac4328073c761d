"""A rollout's status, computed from its targets as they are stored; counts always add up."""

from __future__ import annotations

from datetime import UTC, datetime

from hydracore_core.quarantine import quarantine_of, warning_of
from hydracore_core.rollouts.finalizers import held
from hydracore_core.rollouts.model import Report
from hydracore_core.rollouts.phase import Phase
from hydracore_core.rollouts.phases import phase_of
from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_crds import Condition, RolloutTarget
from hydracore_crds.base import ConditionStatus, find, set_condition
from hydracore_crds.conditions import (
    PROGRESSING,
    QUARANTINED,
    QUEUED,
    RELEASED,
    SUCCEEDED,
    WINDOW_IS_CLOSED,
    WINDOW_IS_OPEN,
    WINDOW_OPEN,
    WINDOW_OVERRIDDEN,
)
from hydracore_crds.rollout import Counts, RollbackStatus, RolloutStatus


def report(scope: TenantScope) -> None:
    """Emit a Report for every rollout whose stored status is not what its targets say.

    Rollouts that are not held yet, those about to be pinned, and those of which history is about to
    say whether they may begin, are left to the next plan.
    """
    unsaid = _being_pinned(scope) | _being_answered(scope)
    for rollout in scope.rollouts:
        if rollout.name in unsaid or not (held(rollout) or rollout.stored_final):
            continue
        status = compute(scope, rollout)
        if status != rollout.rollout.status:
            scope.out.report.append(Report(rollout.name, status))


def _being_pinned(scope: TenantScope) -> set[str]:
    asked = {intent.rollout_name for intent in scope.out.admit}
    return {r.name for r in scope.rollouts if r.name in asked and not r.rollout.status.artifact}


def _being_answered(scope: TenantScope) -> set[str]:
    """Return the rollouts that wait for nothing but history's first answer."""
    asked = {intent.rollout_name for intent in scope.out.ask}
    return {r.name for r in scope.rollouts if r.name in asked and _only_queued(r)}


def _only_queued(rollout: RolloutScope) -> bool:
    return rollout.gate is not None and rollout.gate.reason == QUEUED


def is_urgent(old: RolloutStatus, new: RolloutStatus) -> bool:
    """Whether a Report is to be written at once; others (counts, texts) may be held back."""

    def sign(status: RolloutStatus) -> tuple[object, ...]:
        reasons = {(c.type, c.status, c.reason) for c in status.conditions}
        halt = (status.halt_reason is None, status.halted_at)
        waves = [wave.state for wave in status.waves or ()]
        back = status.rollback is None
        # Written late, these would be lost: targets forget their starts, and the clock its stops.
        once = (status.last_started_at, status.progress_clock)
        whole = (status.targets_created, status.removed)
        return status.state, halt, whole, reasons, waves, back, once

    return sign(old) != sign(new)


def compute(scope: TenantScope, rollout: RolloutScope) -> RolloutStatus:
    """Return the full status that a rollout should have now.

    A finished rollout keeps its status, also when some of its targets are removed later; only a
    retry, or evidence about an uncertain target, changes it again. One that was still being created
    when the rollout ended is counted.
    """
    stored = rollout.rollout.status
    generation = rollout.rollout.metadata.generation
    counts = rollout.counts
    if rollout.over and stored.rollback == rollout.rollback and not _evidence(stored, counts):
        kept = counts if _has_late_ones(stored, counts) else stored.counts
        if (stored.observed_generation, stored.counts) == (generation, kept):
            return stored
        return stored.model_copy(update={"observed_generation": generation, "counts": kept})
    phase = phase_of(rollout)
    rollback = _rollback(scope, rollout)
    return stored.model_copy(
        update={
            "observed_generation": generation,
            "state": phase.state,
            "counts": counts,
            "skipped": rollout.completed or stored.skipped,
            "targets_created": rollout.admitted or None,
            "plan_hash": rollout.plan_hash or stored.plan_hash,
            "wave": rollout.wave,
            "waves": rollout.waves,
            "rollback": rollback,
            "removed": rollout.removed if rollout.removed.total else None,
            "started_at": stored.started_at or _first_start(rollout),
            "last_started_at": rollout.last_started_at,
            "progress_clock": None if phase.final else rollout.clock,
            "completed_at": _completed_at(scope, rollout) if phase.final else None,
            "halt_reason": rollout.halt_reason,
            "halted_at": rollout.halted_at,
            "resumed_at": rollout.resumed_at,
            "failures_accepted_until": rollout.accepted_until,
            "message": phase.message[:2048],
            "conditions": _conditions(scope, rollout, phase),
        }
    )


def _rollback(scope: TenantScope, rollout: RolloutScope) -> RollbackStatus | None:
    found = rollout.rollback
    if found is None:
        return None
    ended = None if rollout.returning else found.completed_at or scope.now
    return found.model_copy(update={"counts": rollout.back.there, "completed_at": ended})


def _evidence(stored: RolloutStatus, counts: Counts) -> bool:
    """Whether a finished rollout's targets changed although all of them are there."""
    return (
        stored.counts is not None
        and stored.counts.total == counts.total
        and (stored.counts != counts)
    )


def _has_late_ones(stored: RolloutStatus, counts: Counts) -> bool:
    """Whether a finished rollout has got more targets than it ended with."""
    return stored.counts is not None and counts.total > stored.counts.total


def _first_start(rollout: RolloutScope) -> datetime | None:
    groups = (rollout.in_progress, rollout.succeeded, rollout.failed, rollout.uncertain)
    times = (t.status.started_at for group in groups for t in group)
    return min((time for time in times if time is not None), default=None)


def _completed_at(scope: TenantScope, rollout: RolloutScope) -> datetime:
    """Return when it ended: with its last target, or now if it had none."""
    stored = rollout.rollout.status.completed_at
    if rollout.stored_final and stored is not None:
        return stored
    return max(map(_ended, rollout.all_targets()), default=None) or scope.now


def _ended(target: RolloutTarget) -> datetime:
    return target.status.completed_at or datetime.min.replace(tzinfo=UTC)


def _conditions(scope: TenantScope, rollout: RolloutScope, phase: Phase) -> list[Condition]:
    found = rollout.rollout.status.conditions
    wanted: list[tuple[str, ConditionStatus, str, str]] = [
        (PROGRESSING, phase.progressing, phase.reason, phase.message),
        (SUCCEEDED, phase.succeeded, phase.reason, phase.message),
        (WINDOW_OPEN, *_window(scope, rollout)),
        *_quarantine(scope, rollout),
    ]
    for type_, flag, reason, message in wanted:
        found = set_condition(
            found,
            type_,
            flag,
            reason=reason,
            message=message,
            now=scope.now,
            generation=rollout.rollout.metadata.generation,
        )
    return found


def _quarantine(
    scope: TenantScope, rollout: RolloutScope
) -> list[tuple[str, ConditionStatus, str, str]]:
    """Say that the bundle is in quarantine, or is not any more; nothing where it never was."""
    bundle = scope.view.bundles.get(rollout.rollout.spec.bundle_name)
    shut = quarantine_of(bundle) if bundle is not None else None
    if bundle is not None and shut is not None:
        return [(QUARANTINED, "True", shut.reason, (warning_of(bundle) or "")[:2048])]
    if find(rollout.rollout.status.conditions, QUARANTINED) is None:
        return []
    return [(QUARANTINED, "False", RELEASED, "the bundle is not in quarantine any more")]


def _window(scope: TenantScope, rollout: RolloutScope) -> tuple[ConditionStatus, str, str]:
    why = scope.window.why
    if scope.window.open:
        return "True", WINDOW_IS_OPEN, why
    if rollout.rollout.spec.override_window:
        return "True", WINDOW_OVERRIDDEN, f"this rollout does not wait for the window; {why}"
    return "False", WINDOW_IS_CLOSED, why
