"""What must come in the end: faults off and gates open, everything settles, and then rests.

I7: it converges, and then nothing is written.
"""

from __future__ import annotations

from functools import partial

from hydracore_crds import Instance
from hydracore_crds.rollout import FINAL_STATES
from tests.operator.rollouts.builders import NS
from tests.operator.rollouts.model import deeds
from tests.operator.rollouts.model.world import World

ROUNDS = 30
ROUND_SECONDS = 300.0
REST_SECONDS = 120.0


def calm_down(world: World) -> None:
    """Take every fault away; one operator is left."""
    for process in list(world.processes.values()):
        world.in_background(process.kill())
    world.lead()
    deeds.history_away(world, away=False)
    deeds.set_policy(world, 3)
    for found in world.server.of(Instance):
        agent = world.agents.agents.get(found.spec.id or "")
        if agent is not None:
            deeds.behave(world, found.metadata.name, 5.0, "activated")
            faults = ("unhealthy", "wrong_digest", "garbage")
            deeds.fall_ill(world, found.metadata.name, **dict.fromkeys(faults, False))
            agent.faults.silent = False
            world.hear(agent.instance_id)


def encourage(world: World) -> None:
    """Resume and approve whatever waits for a person."""
    for rollout in world.rollouts():
        name = rollout.metadata.name
        if rollout.status.state not in FINAL_STATES and not rollout.deleting:
            deeds.pause_by_spec(world, name, paused=False)
            deeds.resume(world, name)
            deeds.approve(world, name)


def unfinished(world: World) -> list[str]:
    """Return what has not come to its end yet."""
    left = [
        f"{found.metadata.name} is {found.status.state}: {found.status.message}"
        for found in world.rollouts()
        if found.status.state not in FINAL_STATES or found.deleting
    ]
    works = [f"agent {a.instance_id} works" for a in world.agents.agents.values() if a.active]
    return [*left, *works, *(f"slot {task}" for task in sorted(world.slots()))]


def settle(world: World) -> None:
    """Let everything come to its end, and see that it then rests.

    Raises:
        AssertionError: Something does not end, or nothing rests.
    """
    world.run(partial(calm_down, world), 60.0)
    for _ in range(ROUNDS):
        if not unfinished(world):
            break
        world.run(partial(encourage, world), ROUND_SECONDS)
    assert not unfinished(world), f"it does not end: {unfinished(world)}"
    # Late counts are written, and uncertain targets are heard of once more.
    world.run(lambda: None, 60.0)
    counted(world)
    leader = world.leader
    assert leader is not None
    before = world.server.writes.copy()
    world.run(partial(leader.operator.queue.add, NS), REST_SECONDS)
    written = world.server.writes - before
    assert not written, f"it does not rest: {dict(written)}"
    assert not world.slots()


def counted(world: World) -> None:
    """I6 at rest: every rollout's counts are those of its targets."""
    for found in world.rollouts():
        counts = found.status.counts
        if counts is None or not found.status.targets_created:
            continue
        mine = [t for t in world.targets_of(found) if t.spec.rollback_of is None]
        states: list[str] = [t.status.state or "queued" for t in mine]
        parts = counts.model_dump(exclude={"total"})
        truth = {state: states.count(state) for state in parts}
        assert parts == truth, f"{found.metadata.name}: counts {parts}, targets {truth}"
        assert counts.total == len(states)
