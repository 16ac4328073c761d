"""What ran before: bundles that come by themselves, restores, history that is away."""

from __future__ import annotations

from hydracore_crds.instance import InstanceUpdatePolicy
from tests.core.rollouts import automatic, deeds
from tests.core.rollouts.agents import CRASH, Behaviour
from tests.core.rollouts.automatic import Auto
from tests.core.rollouts.builders import bundle, fleet, instance, policy
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import EVENING, NOON


def by_itself_until_one_is_bad(seed: int) -> World:
    """A good runtime comes to those who want it, in the window; a bad one stops at its canary."""
    world = World(EVENING, seed, policy=policy(2, window=(22, 23), runtime="auto"))
    world.bundles = {one.metadata.name: one for one in (bundle("1.0.0"),)}
    asked = instance("a-4", update_policy=InstanceUpdatePolicy(runtime="notify"))
    world.instances = {one.metadata.name: one for one in [*fleet(4), asked]}
    deeds.script("a-0", Behaviour(), CRASH)(world)
    Auto().look(world)
    world.at(3, automatic.publish("1.1.0"))
    world.at(50, automatic.publish("1.2.0"))
    world.at(26 * 60, automatic.remove("1.2.0"))
    world.run(27 * 60)
    return world


def already_executed(seed: int) -> World:
    """What ran is not run again by a restore; deleted before it started, or changed, it is new."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(2)})
    deeds.create(instance_names=["a-0"])(world)
    deeds.create("later", version="1.2.0", paused=True, instance_names=["a-1"])(world)
    world.at(1, deeds.delete_rollout("later"))
    world.at(20, deeds.restore())
    world.at(30, deeds.delete_rollout())
    world.at(31, deeds.create(instance_names=["a-0"], force=True, incarnation=9))
    world.at(50, deeds.restore("later"))
    world.at(51, deeds.pause_by_spec("later", paused=False))
    world.run(90)
    return world


def restored_downgrade(seed: int) -> World:
    """A backup brings back an old rollout, superseded and never started: it downgrades nobody."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(2)})
    deeds.create("old", paused=True)(world)
    world.at(1, deeds.create("new", version="1.2.0"))
    world.at(30, deeds.delete_rollout("new"))
    world.at(31, deeds.restore("old"))
    world.at(32, deeds.pause_by_spec("old", paused=False))
    world.run(60)
    return world


def history_away(seed: int) -> World:
    """SQL is away: what runs goes on, also under a new leader; what is new waits for it."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(4)})
    deeds.create(instance_names=["a-0", "a-1", "a-2"], strategy={"maxParallel": 1})(world)
    world.at(1, deeds.history_away())
    world.at(2, deeds.create("r2", instance_names=["a-3"]))
    world.at(3, deeds.crash(0))
    world.at(40, deeds.history_away(away=False))
    world.run(60)
    return world


STORIES = (by_itself_until_one_is_bad, already_executed, restored_downgrade, history_away)
