"""Instances go, come back, and cannot be reached."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.builders import fleet
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import NOON


def instance_deleted(seed: int) -> World:
    """One instance goes in mid-flight, one while queued, one comes back as somebody else."""
    world = World(NOON, seed)
    deeds.create()(world)
    world.at(1, deeds.delete_instance("a-0"))
    world.at(2, deeds.delete_instance("a-5"))
    world.at(3, deeds.recreate_instance("a-4"))
    world.run(60)
    return world


def unreachable_and_failed(seed: int) -> World:
    """An unreachable instance is passed over until it is back; a failed one drops out."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(4)})
    deeds.create()(world)
    world.at(1, deeds.change_instance("a-2", health_status="unreachable"))
    world.at(1, deeds.change_instance("a-3", state="failed"))
    world.at(30, deeds.change_instance("a-2", health_status="healthy"))
    world.run(60)
    return world


STORIES = (instance_deleted, unreachable_and_failed)
