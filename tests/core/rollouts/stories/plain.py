"""A rollout that goes its way: how it starts, joins, ends, and what bundles it takes."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.agents import Behaviour
from tests.core.rollouts.builders import bundle, fleet, instance, policy
from tests.core.rollouts.simulation import Event, World
from tests.core.rollouts.stories.times import NOON


def straight(seed: int) -> World:
    """Six instances, limit 2, nothing goes wrong."""
    world = World(NOON, seed)
    deeds.create()(world)
    world.run(60)
    return world


def starts_while_created(seed: int) -> World:
    """Targets start while others are created; neither a crash nor a late instance adds to them."""
    world = World(NOON, seed, creates_at_once=1)
    deeds.script("a-0", Behaviour(minutes=1, outcome="rejected"))(world)
    world.crash_in = 11
    deeds.create()(world)
    world.at(0.25, deeds.create_instance("a-9"))
    world.at(5, deeds.resume())
    world.run(60)
    return world


def late_joiners(seed: int) -> World:
    """A dynamic rollout: who matches later joins in the last wave, until all have ended."""
    world = World(NOON, seed)
    world.instances["a-5"] = instance("a-5", state="provisioning")
    deeds.create(dynamic=True, strategy={"waves": [{"name": "canary", "count": 1}]})(world)
    world.at(5, deeds.create_instance("a-9"))
    world.at(6, deeds.change_instance("a-5", state="running"))
    world.at(40, deeds.create_instance("a-8"))
    world.run(60)
    return world


def bad_bundles(seed: int) -> World:
    """No bundle, then one with a wrong digest, then a good one; yanked in mid-flight."""
    world = World(NOON, seed, instances={i.metadata.name: i for i in fleet(3)}, policy=policy(1))
    world.bundles = {"none": bundle("9.9.9")}
    deeds.create()(world)

    def publish(*ready: str) -> Event:
        def event(w: World) -> None:
            made = bundle("1.1.0", ready=(ready[0], ready[1]))
            w.bundles[made.metadata.name] = made
            w.say("bundle", f"1.1.0 Ready={ready[0]} ({ready[1]})")

        return event

    world.at(5, publish("False", "DigestMismatch"))
    world.at(10, publish("True", "Verified"))
    world.at(15, deeds.yank("1.1.0"))
    world.at(30, deeds.cancel())
    world.run(60)
    return world


STORIES = (straight, starts_while_created, late_joiners, bad_bundles)
