"""A restore or a re-sync runs nothing twice; what the agents accepted is the judge."""

from __future__ import annotations

from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import find
from hydracore_history import History
from tests.operator.rollouts.world import World, condition


def lose(world: World, rollout: Rollout) -> None:
    """The rollout and its targets are gone, nobody was asked: etcd was replaced by a backup."""
    for obj in (rollout, *world.kube.of(RolloutTarget)):
        found = world.kube.current(obj)
        bare = found.metadata.model_copy(update={"finalizers": []})
        world.kube.remove(world.kube.put(found.model_copy(update={"metadata": bare})))


async def test_a_restored_rollout_ends_and_sends_nothing(history: History) -> None:
    async with World(instances=2, history=history) as world:
        world.operator()
        first = world.roll()
        await world.finished(first, "succeeded")
        accepted = len(world.oracle.accepted)
        lose(world, first)
        for instance in world.instances:  # meanwhile somebody went back to the old version
            status = world.kube.current(instance).status
            runtime = status.runtime.model_copy(
                update={"version": "1.0.0", "bundle_hash": "0" * 64}
            )
            again = status.model_copy(update={"runtime": runtime})
            world.kube.put(world.kube.current(instance).model_copy(update={"status": again}))
        restored = world.roll()
        await world.finished(restored, "cancelled")
        assert condition(world, restored, "Progressing") == "AlreadyExecuted"
        told = find(world.kube.current(restored).status.conditions, "Succeeded")
        assert told is not None
        assert (told.status, told.reason) == ("False", "AlreadyExecuted")
        assert f"(uid {first.metadata.uid}); nothing was sent" in told.message
        assert "under another name or with a changed spec" in told.message
        assert world.targets() == []
        assert len(world.oracle.accepted) == accepted == 2
        changed = world.roll(name="again")
        await world.finished(changed, "succeeded")
        assert len(world.oracle.accepted) == 4


async def test_the_same_object_goes_on_after_a_restart(history: History) -> None:
    async with World(instances=3, limit=1, history=history) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        first = world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        await first.kill()
        for agent in world.all_agents():
            agent.hold = False
            agent.release()
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        assert len(world.oracle.accepted) == 3


async def test_what_never_started_leaves_no_trace(history: History) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        paused = world.roll(paused=True)
        await world.until(lambda: len(world.targets()) == 1, "its target")
        world.kube.remove(paused)
        await world.until(lambda: operator.stores.rollouts.get(paused.key) is None, "it to go")
        for target in world.targets():
            world.kube.remove(target)  # the garbage collector's work
        again = world.roll()
        await world.finished(again, "succeeded")
        assert len(world.oracle.accepted) == 1
