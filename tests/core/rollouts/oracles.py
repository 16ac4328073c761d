"""What must hold at every step, judged from the agents' records and the ledger itself.

The numbers are those of the design's invariants: I3 never more in flight than the limit, I4 nothing
starts outside the window, I5 what has ended stays, I6 counts add up and no target is lost.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hydracore_core.executions import spec_hash
from hydracore_core.rollouts.model import Plan, Report, Start, TenantView
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.names import CANCEL_ANNOTATION, PAUSED_BY_ANNOTATION
from tests.core.rollouts import timing_oracles
from tests.core.windows.oracle import MINUTE, may_start

if TYPE_CHECKING:
    from tests.core.rollouts.simulation import World

ALLOWED = {
    ("queued", "in_progress"),
    ("queued", "cancelled"),
    ("in_progress", "in_progress"),
    ("in_progress", "succeeded"),
    ("in_progress", "failed"),
    ("in_progress", "uncertain"),
    ("in_progress", "cancelled"),
    ("uncertain", "succeeded"),
    ("uncertain", "failed"),
    ("uncertain", "cancelled"),
    ("queued", "queued"),
}


def transition(old: RolloutTarget, new: RolloutTarget) -> None:
    """I5: an ended target never changes its state; only a retry begins anew, as queued."""
    before, after = old.status.state or "queued", new.status.state or "queued"
    if before == after:
        return
    assert (before, after) in ALLOWED, f"{old.metadata.name}: {before} -> {after}"


def limit_of(world: World) -> int:
    return world.policy.spec.max_parallel_rollouts if world.policy else 2


def claim(world: World, intent: Start) -> None:
    """I3 at the ledger: there is room before the entry is added, and none for that instance."""
    assert len(world.ledger) < limit_of(world), "the ledger is full"
    names = {slot.instance_name for slot in world.ledger.values()}
    assert intent.instance_name not in names, f"{intent.instance_name} has a slot already"


def order(world: World, intent: Start) -> None:
    """I3 and I4 at the agents, and the gates people can close, when an order goes out."""
    working = [agent for agent in world.agents.values() if agent.working]
    assert len(working) < limit_of(world), "more in flight than the limit"
    found = world.rollouts[intent.rollout_name]
    target = world.targets[intent.target_name]
    back = target.spec.rollback_of is not None
    assert may_send(world, found, back=back), f"{intent.target_name} starts when it must not"
    assert back or timing_oracles.fits(world, found), f"{intent.target_name} does not fit"
    work = (found.metadata.name, spec_hash(found.spec))
    assert world.history[work] == found.metadata.uid, "this work began for another object"
    waves(world, found, target)
    own = found.spec.strategy.max_parallel
    mine = [s for s in world.ledger.values() if s.rollout_name == intent.rollout_name]
    assert own is None or len(mine) <= own, "more in flight than the rollout's own limit"
    assert world.instances[intent.instance_name].metadata.uid == intent.instance_uid


def waves(world: World, found: Rollout, target: RolloutTarget) -> None:
    """No target starts before the waves ahead of it have ended, baked and been approved."""
    if target.spec.rollback_of is not None:
        return
    mine = updates(world, found)
    for number, wave in enumerate(found.spec.strategy.waves or (), start=1):
        if number >= target.spec.wave:
            return
        ahead = [t for t in mine if t.spec.wave == number]
        open_ = [t for t in ahead if t.status.state in {None, "queued", "in_progress"}]
        here = [t for t in open_ if in_reach(world, t) or t.status.state == "in_progress"]
        assert all(t.spec.attempt > 1 for t in here), f"wave {number} has not ended"
        if wave.approval:
            assert f"{number}@{found.status.plan_hash}" in world.approvals, "nobody approved"
        first = [t for t in ahead if t.status.state == "succeeded" and t.spec.attempt == 1]
        ends = [t.status.completed_at for t in first if t.status.completed_at is not None]
        accepted = found.status.failures_accepted_until
        if ends and (accepted is None or accepted < max(ends)):
            baked = max(ends) + timedelta(seconds=wave.bake_seconds)
            assert world.now >= baked, f"wave {number} has not baked"


def may_send(world: World, found: Rollout, *, back: bool = False) -> bool:
    """I4, a freeze, and what people and the threshold close; a rollback minds a pause only."""
    in_time = not frozen(world) and (found.spec.override_window or in_window(world))
    notes = found.metadata.annotations
    held = found.spec.paused or PAUSED_BY_ANNOTATION in notes
    if not back:
        held = stopped(found) or found.status.rollback is not None
    return in_time and not held and not world.terminating


def in_reach(world: World, target: RolloutTarget) -> bool:
    found = world.instances.get(target.spec.instance_name)
    return found is not None and found.status.health_status != "unreachable"


def updates(world: World, found: Rollout) -> list[RolloutTarget]:
    """Return a rollout's targets without those that take back."""
    name = found.metadata.name
    mine = (t for t in world.targets.values() if t.spec.rollout_name == name)
    return [t for t in mine if t.spec.rollback_of is None]


def in_window(world: World) -> bool:
    """Whether the windows allow this minute; jitter may only keep more from starting."""
    minute = world.now.replace(second=0, microsecond=0)
    (allowed,) = may_start(world.policy, minute, minute + MINUTE)
    return allowed


def frozen(world: World) -> bool:
    freeze = world.platform.spec.freeze if world.platform is not None else None
    return freeze is not None and (freeze.until is None or world.now < freeze.until)


def stopped(rollout: Rollout) -> bool:
    notes = rollout.metadata.annotations
    asked = rollout.spec.paused or PAUSED_BY_ANNOTATION in notes
    ended = rollout.spec.cancel is not None or CANCEL_ANNOTATION in notes or rollout.deleting
    return asked or ended or rollout.status.halt_reason is not None


def report(view: TenantView, intent: Report) -> None:
    """I6 for every status: the counts add up and are those of the targets that the plan saw."""
    counts = intent.status.counts
    assert intent.status.observed_generation is not None
    if counts is None:
        return
    states: list[str] = [
        t.status.state or "queued"
        for t in view.targets
        if t.spec.rollout_name == intent.rollout_name and t.spec.rollback_of is None
    ]
    assert counts.total == len(states)
    parts = counts.model_dump(exclude={"total"})
    assert parts == {state: states.count(state) for state in parts}
    assert sum(parts.values()) == counts.total


def plan_is_sound(view: TenantView, made: Plan) -> None:
    """Whatever is planned fits the limit before anybody checks again."""
    starts = [i for i in made.intents if isinstance(i, Start)]
    allowed = made.limit if view.granted is None else min(made.limit, view.granted)
    assert len(starts) <= max(0, allowed - made.in_flight)
    assert made.in_flight + len(starts) <= max(made.wanted, made.in_flight)
    assert made.in_flight >= len(view.slots)
    names = [i.instance_name for i in starts] + [s.instance_name for s in view.slots]
    assert len(names) == len(set(names)), "two orders for one instance"
    for intent in made.intents:
        if isinstance(intent, Report):
            report(view, intent)
    assert made.wake_at is None or made.wake_at > view.now


def taken_back(world: World, found: Rollout) -> None:
    """Nobody whom a rollback could reach was forgotten, and what it says was done is true."""
    rollback = found.status.rollback
    if rollback is None or rollback.completed_at is None:
        return
    backs = {t.spec.rollback_of: t for t in world.targets.values() if t.spec.rollback_of}
    left = {each.instance_name for each in rollback.skipped.examples} if rollback.skipped else set()
    for target in updates(world, found):
        name, back = target.spec.instance_name, backs.get(target.metadata.name)
        if target.status.state == "succeeded" and name not in left:
            assert back is not None, f"{target.metadata.name} was forgotten"
        if back is not None and back.status.state == "succeeded":
            task = back.status.task_id or ""
            assert (
                task in world.agents[name].orders
                or name not in world.instances
                or (world.instances[name].metadata.uid != target.spec.instance_id)
            )
            order = world.agents[name].orders.get(task)
            assert order is None or order.state == "activated"
            assert back.spec.bundle_hash == target.status.previous_bundle_hash


def at_rest(world: World) -> None:
    """I6 when all is quiet: statuses say what is, and every order in flight has its entry."""
    for found in world.rollouts.values():
        mine = updates(world, found)
        counts = found.status.counts
        if found.status.targets_created and counts is not None:
            assert counts.total == len(mine), f"{found.metadata.name} has lost a target"
            states: list[str] = [t.status.state or "queued" for t in mine]
            parts = counts.model_dump(exclude={"total"})
            assert parts == {state: states.count(state) for state in parts}
    for target in world.targets.values():
        if target.status.state == "in_progress":
            assert target.status.task_id in world.ledger
    assert len({s.instance_name for s in world.ledger.values()}) == len(world.ledger)
