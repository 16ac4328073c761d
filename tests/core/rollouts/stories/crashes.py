"""The operator dies at the worst moments."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.builders import fleet
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import NOON


def crash_before_in_progress(seed: int) -> World:
    """The operator dies between its write of the ledger and that of the target."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(3)})
    deeds.create()(world)
    # Hold, two statuses and three targets of the admission, the report; then the first claim.
    deeds.crash(8)(world)
    world.run(60)
    return world


def crash_before_the_order(seed: int) -> World:
    """The operator dies after it stored ``in_progress``, before the order goes out."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(3)})
    deeds.create()(world)
    deeds.crash(9)(world)
    world.run(60)
    return world


def crash_in_admission(seed: int) -> World:
    """The operator dies while it creates targets; meanwhile an instance stops running."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(4)})
    deeds.create()(world)
    deeds.crash(4)(world)
    world.at(0.2, deeds.change_instance("a-0", state="error"))
    world.run(60)
    return world


def crash_and_silence(seed: int) -> World:
    """After such a crash the agent is silent too: the slot is kept until the deadline."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(3)})
    deeds.create()(world)
    deeds.crash(8)(world)
    deeds.silence("a-0", 60)(world)
    world.run(90)
    return world


STORIES = (crash_before_in_progress, crash_before_the_order, crash_in_admission, crash_and_silence)
