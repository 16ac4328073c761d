"""What people ask for in mid-flight: pause, cancel, deletion, a newer rollout."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.agents import Behaviour
from tests.core.rollouts.builders import fleet, policy
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import NOON


def pause_and_resume(seed: int) -> World:
    """Paused by a person in mid-flight: what runs ends, the rest waits for the resume."""
    world = World(NOON, seed)
    deeds.create()(world)
    world.at(5, deeds.pause())
    world.at(30, deeds.resume())
    world.run(90)
    return world


def cancel_graceful(seed: int) -> World:
    """Queued targets are dropped, those in flight finish."""
    world = World(NOON, seed)
    deeds.create()(world)
    world.at(5, deeds.cancel())
    world.run(60)
    return world


def cancel_force(seed: int) -> World:
    """Agents are told to abort; one is silent and is asked again, one had just switched."""
    world = World(NOON, seed, policy=policy(3))
    deeds.script("a-0", Behaviour(minutes=8))(world)
    deeds.script("a-1", Behaviour(minutes=8, silent=6))(world)
    deeds.script("a-2", Behaviour(minutes=5))(world)
    deeds.create()(world)
    world.at(5, deeds.cancel(mode="Force"))
    world.run(60)
    return world


def deletion(seed: int) -> World:
    """A deleted rollout drops its queue, settles what is in flight, and is archived."""
    world = World(NOON, seed)
    deeds.create()(world)
    world.at(5, deeds.delete_rollout())
    world.run(60)
    return world


def supersede(seed: int) -> World:
    """A newer rollout takes over what an older one has queued; what runs finishes first."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(4)})
    deeds.create("old", version="1.1.0")(world)
    world.at(2, deeds.create("new", version="1.2.0"))
    world.run(60)
    return world


STORIES = (pause_and_resume, cancel_graceful, cancel_force, deletion, supersede)
