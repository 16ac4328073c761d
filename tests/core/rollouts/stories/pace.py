"""How fast: staggered, ramped, and within the slots of the platform."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.agents import CRASH, Behaviour
from tests.core.rollouts.builders import fleet, policy
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import NOON


def stagger(seed: int) -> World:
    """Starts two minutes apart; a pause shifts the rest, and nobody catches up after it."""
    world = World(NOON, seed, policy=policy(3))
    deeds.create(strategy={"staggerSeconds": 120})(world)
    world.at(5, deeds.pause())
    world.at(30, deeds.resume())
    world.run(60)
    return world


def ramp(seed: int) -> World:
    """One start a minute, twice as many after each two successes; a new leader keeps the rate."""
    there = {i.metadata.name: i for i in fleet(10)}
    world = World(NOON, seed, policy=policy(10), instances=there)
    for agent in world.agents.values():
        agent.default = Behaviour(minutes=1.5)
    deeds.script("a-4", CRASH)(world)
    rates = {"startsPerMinute": 1, "successesPerStep": 2, "maxStartsPerMinute": 3}
    deeds.create(strategy={"ramp": rates, "failureThreshold": {"count": 2}})(world)
    world.at(3.75, deeds.crash(0))
    world.run(30)
    return world


def slots_of_the_platform(seed: int) -> World:
    """The platform is full at first, grants one slot, and then as many as the tenant may have."""
    world = World(NOON, seed, policy=policy(3))
    world.granted = 0
    strategy = {"progressDeadlineSeconds": 600}
    deeds.create(strategy=strategy, instance_names=["a-0", "a-1", "a-2"])(world)
    world.at(5, deeds.create("other", instance_names=["a-3", "a-4"]))
    world.at(20, deeds.grant(1))
    world.at(26, deeds.grant(None))
    world.run(60)
    return world


STORIES = (stagger, ramp, slots_of_the_platform)
