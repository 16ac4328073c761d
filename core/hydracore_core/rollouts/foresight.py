"""The waves of a preview and when they will have ended, from a rollout that the plan looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from hydracore_core.platform.shares import platform_limit
from hydracore_core.rollouts.approvals import token_of
from hydracore_core.rollouts.estimate import Observed, Stretch, Tempo, ends_at
from hydracore_core.rollouts.fit import needed
from hydracore_core.rollouts.preview_model import Estimate, PlannedTarget, PlannedWave
from hydracore_core.rollouts.ramp import distance
from hydracore_core.rollouts.scope import RolloutScope, TenantScope, queue_key
from hydracore_core.rollouts.texts import count
from hydracore_core.rollouts.waves import LAST
from hydracore_core.windows import ALWAYS_OPEN, WindowState, window_state
from hydracore_crds import RolloutTarget
from hydracore_crds.conditions import (
    AWAITING_APPROVAL,
    BAKING,
    DOES_NOT_FIT,
    QUEUED,
    WAITING_FOR_WINDOW,
)
from hydracore_crds.rollout import Wave, WaveStatus

_PASSING = {QUEUED, BAKING, AWAITING_APPROVAL, WAITING_FOR_WINDOW, DOES_NOT_FIT}
"""Gates with which an end can be foreseen; nobody knows how long the others stay closed."""


def planned_waves(
    mine: RolloutScope, targets: Sequence[RolloutTarget], plan_hash: str
) -> list[PlannedWave]:
    """Return a rollout's waves with their targets in order; one without gates if it has none."""
    strategy, statuses = mine.rollout.spec.strategy, _statuses(mine)
    members: dict[int, list[RolloutTarget]] = {}
    for target in sorted(targets, key=queue_key):
        members.setdefault(target.spec.wave, []).append(target)
    found = []
    for number, status in enumerate(statuses, start=1):
        wave, more = _spec(mine, number), number < len(statuses)
        judged = more and strategy.on_failure == "pause"
        found.append(
            PlannedWave(
                number=number,
                name=status.name,
                targets=[_target(target) for target in members.get(number, ())],
                success_percent=wave.success_percent if judged else None,
                bake_seconds=wave.bake_seconds,
                approval=token_of(number, plan_hash) if wave.approval and more else None,
            )
        )
    return found


def at_once(scope: TenantScope, mine: RolloutScope) -> int:
    """Return how many targets of a rollout can be in flight if nobody else needs slots."""
    own, platform = mine.rollout.spec.strategy.max_parallel, platform_limit(scope.view.platform)
    return min(limit for limit in (scope.limit, own, platform) if limit is not None)


def estimate(scope: TenantScope, mine: RolloutScope, observed: Observed | None) -> Estimate:
    """Return when a rollout will have ended, or why nobody can say."""
    stretches = _stretches(scope.now, mine)
    reason = _unforeseeable(mine, observed)
    end = None
    if reason is None and observed is not None:
        needs = needed(mine.rollout, observed)
        tempo = Tempo(
            at_once(scope, mine),
            observed.seconds,
            needs,
            partial(distance, mine.rollout.spec.strategy),
            mine.counts.succeeded,
            mine.last_started_at,
        )
        end = ends_at(scope.now, stretches, tempo, lambda time: _window(scope, mine, time))
        if end is None:
            reason = "with this window and these durations it would not end within a year"
    return Estimate(
        ends_at=end,
        seconds_per_target=round(observed.seconds, 1) if observed is not None else None,
        observed=observed.number if observed is not None else 0,
        notes=[reason] if reason is not None else _assumed(scope, mine),
    )


def _unforeseeable(mine: RolloutScope, observed: Observed | None) -> str | None:
    if mine.stored_final and not mine.unfinished:
        return "it has ended"
    if mine.gate is not None and mine.gate.reason not in _PASSING:
        return f"nobody knows how long it waits: {mine.gate.message}"
    if observed is None and mine.unfinished:
        return "no update of this tenant has succeeded yet, so nobody knows how long one takes"
    return None if mine.unfinished or mine.in_wave else "there is nothing to do"


def _assumed(scope: TenantScope, mine: RolloutScope) -> list[str]:
    """Say what the estimate takes for granted."""
    statuses = _statuses(mine)
    asked = sum(
        _spec(mine, number).approval and status.state != "passed"
        for number, status in enumerate(statuses[:-1], start=1)
    )
    others = sum(other.unfinished for other in scope.rollouts if other is not mine)
    notes = ["nothing fails"]
    if asked:
        notes.append(f"{count(asked, 'approval')} at once when asked")
    if others:
        notes.append(f"other rollouts of the tenant take no slots ({others} under way)")
    if (platform := platform_limit(scope.view.platform)) is not None:
        notes.append(f"other tenants take none of the platform's {count(platform, 'slot')}")
    return notes


def _stretches(now: datetime, mine: RolloutScope) -> list[Stretch]:
    """Return what is left of each wave."""
    open_targets = [*mine.waiting, *mine.in_progress]
    found = []
    for number, status in enumerate(_statuses(mine), start=1):
        left = sum(target.spec.wave == number for target in open_targets)
        bake = 0 if status.state == "passed" else _spec(mine, number).bake_seconds
        if status.bakes_until is not None and not left and bake:
            bake = max(0, round((status.bakes_until - now).total_seconds()))
        found.append(Stretch(left, bake))
    return found


def _window(scope: TenantScope, mine: RolloutScope, time: datetime) -> WindowState:
    if mine.rollout.spec.override_window:
        return ALWAYS_OPEN
    return window_state(scope.view.policy, time)


def _statuses(mine: RolloutScope) -> Sequence[WaveStatus]:
    return mine.waves or mine.rollout.status.waves or [WaveStatus(planned=0)]


def _spec(mine: RolloutScope, number: int) -> Wave:
    waves = mine.rollout.spec.strategy.waves or []
    return waves[number - 1] if number <= len(waves) else LAST


def _target(target: RolloutTarget) -> PlannedTarget:
    return PlannedTarget(
        order=target.spec.order,
        instance_name=target.spec.instance_name,
        instance_id=target.spec.instance_id,
        countdown_seconds=target.spec.scheduled_countdown_seconds,
        state=target.status.state or "queued",
    )
