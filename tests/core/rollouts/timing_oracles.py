"""What must hold of time: starts keep their distance, retries their limit, deadlines their clock.

Judged from the simulator's own records, never from the clock and times that the plan stores.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hydracore_core.rollouts.model import RaiseAttempt, Start
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.conditions import PROGRESS_DEADLINE_EXCEEDED, PROGRESSING
from hydracore_crds.rollout import FINAL_STATES, RolloutStatus
from tests.core.rollouts import oracles
from tests.core.windows.oracle import may_start

if TYPE_CHECKING:
    from tests.core.rollouts.simulation import World

REMEMBERED = 64
GRACE = timedelta(seconds=60)
TOLERANCE = 5.0
"""Seconds; the stored clock has whole ones, rounded at each stop."""


def fits(world: World, found: Rollout) -> bool:
    """Whether the window stays open for as long as 19 of 20 of the newest updates took.

    Found by looking at every minute, and by counting in the simulator's own records.
    """
    took = world.records.durations[-REMEMBERED:]
    if not took or found.spec.override_window:
        return True
    enough = min(len(took), math.ceil(0.95 * len(took)))
    needs = min(sorted(took)[enough - 1], found.spec.strategy.target_timeout_seconds)
    first = world.now.replace(second=0, microsecond=0)
    return all(may_start(world.policy, first, world.now + timedelta(seconds=needs)))


def started(world: World, intent: Start) -> None:
    """Starts are so far apart as stagger or ramp say, and none comes before its countdown."""
    found = world.rollouts[intent.rollout_name]
    step = _distance(world, found)
    times = world.records.starts.setdefault(found.metadata.uid, [])
    if times and step:
        countdown = world.targets[intent.target_name].spec.scheduled_countdown_seconds
        assert world.now - times[-1] >= step, f"{intent.target_name} starts too close"
        due = times[0] + timedelta(seconds=countdown)
        assert world.now >= due, f"{intent.target_name} starts before its countdown"
    times.append(world.now)


def _distance(world: World, found: Rollout) -> timedelta:
    """How far apart starts must be now, by the successes that the simulator has counted."""
    ramp = found.spec.strategy.ramp
    if ramp is None:
        return timedelta(seconds=found.spec.strategy.stagger_seconds)
    steps = world.records.successes[found.metadata.uid] // ramp.successes_per_step
    grown = ramp.starts_per_minute * (100 + ramp.increase_percent) ** steps / 100**steps
    return timedelta(seconds=60 / min(grown, ramp.max_starts_per_minute))


def automatic_retry(world: World, intent: RaiseAttempt) -> None:
    """The operator retries what failed, after its backoff, while nothing forbids, to the limit."""
    found, target = world.rollouts[intent.rollout_name], world.targets[intent.target_name]
    strategy, status = found.spec.strategy, target.status
    assert (status.state, status.last_result_status != "rejected") == ("failed", True)
    assert intent.attempt == target.spec.attempt + 1 <= strategy.retry_limit + 1
    assert oracles.may_send(world, found), f"{intent.target_name} is retried when it must not"
    assert status.completed_at is not None
    backoff = min(3600, strategy.retry_backoff_seconds * 2 ** (intent.attempt - 2))
    waited = (world.now - status.completed_at).total_seconds()
    assert waited >= 0.8 * backoff - 1, f"{intent.target_name} is retried too soon"
    key = (found.metadata.uid, intent.target_name)
    world.records.retries[key] += 1
    assert world.records.retries[key] <= strategy.retry_limit, "more retries than the limit"


def succeeded(world: World, target: RolloutTarget) -> None:
    """A success sets the stopwatch back; how long it took is remembered."""
    status, owner = target.status, world.rollouts.get(target.spec.rollout_name)
    if owner is not None and target.spec.rollback_of is None:
        world.records.successes[owner.metadata.uid] += 1
    assert status.started_at is not None
    assert status.completed_at is not None
    assert status.deadline is not None
    if status.completed_at <= status.deadline:
        took = (status.completed_at - status.started_at).total_seconds()
        world.records.durations.append(took)
    _set_back(world, target.spec.rollout_name)


def retried(world: World, target: RolloutTarget) -> None:
    """A person's retry may set the clock back."""
    found = world.rollouts.get(target.spec.rollout_name)
    if found is not None:
        world.records.watch(found.metadata.uid).least = 0


def time_passes(world: World, until: datetime) -> None:
    """Run the stopwatches from one moment to the next; nothing happens in between."""
    seconds = (until - world.now).total_seconds()
    for found in world.rollouts.values():
        watch = world.records.watch(found.metadata.uid)
        down = world.down_until is not None
        free = oracles.may_send(world, found) and not _between_waves(found)
        going = free and fits(world, found)
        flying = any(s.rollout_name == found.metadata.name for s in world.ledger.values())
        watch.most += seconds if free or down else 0
        watch.least += seconds if going and flying and not down else 0


def reported(world: World, name: str, old: RolloutStatus, new: RolloutStatus) -> None:
    """No halt by the progress deadline before so long has passed without a success."""
    deadline = world.rollouts[name].spec.strategy.progress_deadline_seconds
    was, now = _by_deadline(old), _by_deadline(new)
    if now and not was:
        assert deadline is not None
        watch = world.records.watch(world.rollouts[name].metadata.uid)
        assert watch.most >= deadline - TOLERANCE, f"{name} is halted after {watch.most} s"


def at_rest(world: World) -> None:
    """The halt by the progress deadline comes; what people did sets the stopwatches back."""
    followed = world.followed_since
    heard = followed is None or world.now >= followed + GRACE
    for found in world.rollouts.values():
        uid, status = found.metadata.uid, found.status
        accepted = status.failures_accepted_until
        if oracles.stopped(found) or world.records.accepted.get(uid) != accepted:
            _set_back(world, found.metadata.name)
        world.records.accepted[uid] = accepted
        deadline = found.spec.strategy.progress_deadline_seconds
        if deadline is None or not heard or status.state in FINAL_STATES:
            continue
        mine = [t for t in world.targets.values() if t.spec.rollout_name == found.metadata.name]
        left = any((t.status.state or "queued") == "queued" for t in mine)
        free = oracles.may_send(world, found) and fits(world, found)
        if left and free and not _between_waves(found):
            least = world.records.watch(uid).least
            assert least <= deadline + TOLERANCE, f"{found.metadata.name} goes on after {least} s"


def _set_back(world: World, name: str) -> None:
    found = world.rollouts.get(name)
    if found is not None:
        watch = world.records.watch(found.metadata.uid)
        watch.least = watch.most = 0


def _between_waves(found: Rollout) -> bool:
    waves = found.status.waves or []
    return any(wave.state in {"baking", "awaiting_approval"} for wave in waves)


def _by_deadline(status: RolloutStatus) -> bool:
    reasons = {c.reason for c in status.conditions if c.type == PROGRESSING}
    return status.halt_reason is not None and PROGRESS_DEADLINE_EXCEEDED in reasons
