"""Taking back, by the strategy or by a person."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.agents import CRASH, Behaviour
from tests.core.rollouts.builders import policy
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import EVENING, NOON


def taken_back_by_itself(seed: int) -> World:
    """The second wave goes badly: what the canaries and the first of it got is taken back."""
    world = World(NOON, seed)
    deeds.script("a-3", CRASH)(world)
    waves = [{"name": "canary", "count": 2}, {"count": 2}]
    deeds.create(strategy={"waves": waves, "onFailure": "rollback"})(world)
    world.run(60)
    return world


def taken_back_by_a_person(seed: int) -> World:
    """A finished rollout is taken back: one of its instances is another rollout's by now."""
    world = World(EVENING, seed, policy=policy(3, window=(21, 23)))
    deeds.create()(world)
    world.at(20, deeds.create("newer", version="1.2.0", instance_names=["a-1"]))
    world.at(40, deeds.delete_instance("a-4"))
    world.at(62, deeds.take_back())
    world.at(64, deeds.pause())
    world.at(90, deeds.resume())
    world.run(26 * 60)
    return world


def cancelled_and_taken_back(seed: int) -> World:
    """A person cancels, sees the rest finish, and has all of it taken back; one agent cannot."""
    world = World(NOON, seed)
    deeds.script("a-1", Behaviour(), Behaviour(outcome="rolled_back", message="disk full"))(world)
    deeds.create()(world)
    world.at(2, deeds.cancel())
    world.at(10, deeds.take_back())
    world.run(60)
    return world


STORIES = (taken_back_by_itself, taken_back_by_a_person, cancelled_and_taken_back)
