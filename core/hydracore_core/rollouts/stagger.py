"""Stagger and ramp: starts of a rollout keep a distance, and no target precedes its countdown.

Two rules, and a target starts once both let it. Every start is so far after the one before, of
whichever target and attempt, as ``staggerSeconds`` or the ramp's rate of now says
(:mod:`hydracore_core.rollouts.ramp`). And a target starts no sooner than its
``scheduledCountdownSeconds`` after the rollout's first start. So where nothing interferes a
stagger's countdowns are what happens; a ramp's are what happens at the earliest. What waits longer,
for a gate, a slot or its instance, shifts those behind it: they keep the distance, and none of them
catches up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hydracore_core.rollouts.ramp import distance, paced, told
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.texts import at
from hydracore_crds import RolloutTarget
from hydracore_crds.conditions import WAITING_FOR_RAMP, WAITING_FOR_STAGGER


def recall_starts(scope: TenantScope) -> None:
    """Find out, for every rollout that is paced, when it last started a target.

    A target that is queued again has lost its start, so the latest one is kept in the status.
    """
    for rollout in scope.rollouts:
        stored = rollout.rollout.status.last_started_at
        rollout.last_started_at = stored
        if paced(rollout.rollout.spec.strategy):
            started = [
                target
                for lane in (rollout, rollout.back)
                for target in (*lane.in_progress, *lane.executed_targets())
            ]
            times = (target.status.started_at for target in started)
            known = [time for time in (*times, stored) if time is not None]
            rollout.last_started_at = max(known, default=None)


@dataclass(frozen=True, slots=True)
class Pace:
    """When the targets of one rollout may start.

    Attributes:
        now: The time of the plan.
        step: The distance.
        first: When the rollout started its first target; None before that.
        next: From when any target may start; now where there is no distance.
    """

    now: datetime
    step: timedelta
    first: datetime | None
    next: datetime

    def starts_from(self, target: RolloutTarget, *, starting: int) -> datetime:
        """Return from when a target may start; not after now where it may start now.

        Args:
            target: A target that waits.
            starting: How many targets of the rollout this plan starts already.
        """
        if not self.step:
            return self.now
        if starting:
            return self.now + self.step
        if self.first is None:
            return self.next
        countdown = timedelta(seconds=target.spec.scheduled_countdown_seconds)
        return max(self.next, self.first + countdown)


def pace_of(scope: TenantScope, rollout: RolloutScope) -> Pace:
    """Return a rollout's pace; :func:`recall_starts` has seen it."""
    step = distance(rollout.rollout.spec.strategy, rollout.counts.succeeded)
    last = rollout.last_started_at if step else None
    if step and _starts_just_now(scope, rollout):
        last = scope.now
    first = rollout.rollout.status.started_at or last
    return Pace(scope.now, step, first, scope.now if last is None else last + step)


def hold_back(scope: TenantScope, rollout: RolloutScope, until: datetime) -> None:
    """Wait for the next start's time, unless something is started now."""
    scope.wakes.append(until)
    strategy = rollout.rollout.spec.strategy
    reason = WAITING_FOR_STAGGER if strategy.ramp is None else WAITING_FOR_RAMP
    pace = told(strategy, rollout.counts.succeeded)
    rollout.wait = Gate(reason, f"the next target starts at {at(until)}: {pace}")


def _starts_just_now(scope: TenantScope, rollout: RolloutScope) -> bool:
    """Whether a slot is claimed for a target whose start is not stored yet."""
    waiting = {target.metadata.name for target in (*rollout.waiting, *rollout.back.waiting)}
    slots = scope.slots.values()
    return any(slot.target_name in waiting and slot.rollout_name == rollout.name for slot in slots)
