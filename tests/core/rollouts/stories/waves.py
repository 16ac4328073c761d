"""Waves: canaries, baking, approval."""

from __future__ import annotations

from tests.core.rollouts import deeds
from tests.core.rollouts.agents import Behaviour
from tests.core.rollouts.builders import instance
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import NOON


def canary_and_approval(seed: int) -> World:
    """A canary bakes and is approved, but not by a word for another plan; then half, then all."""
    world = World(NOON, seed)
    canary = {"name": "canary", "count": 1, "bakeSeconds": 300, "approval": True}
    deeds.create(strategy={"waves": [canary, {"percent": 50}]})(world)
    world.at(12, deeds.approve(token="1@000000000000"))
    world.at(15, deeds.approve())
    world.run(60)
    return world


def wave_not_good_enough(seed: int) -> World:
    """Three failures are tolerated, but a wave with one bad target of two lets no other begin."""
    world = World(NOON, seed)
    deeds.script("a-1", Behaviour(minutes=1, outcome="rolled_back"))(world)
    strategy = {"waves": [{"count": 2}], "failureThreshold": {"count": 3}}
    deeds.create(strategy=strategy)(world)
    world.at(10, deeds.retry("r1-00001"))
    world.at(12, deeds.resume())
    world.run(60)
    return world


def sick_while_baking(seed: int) -> World:
    """An agent falls ill under the new version; the rollout halts before others get it."""
    world = World(NOON, seed)
    labelled = instance("a-5", labels={"ring": "first"})
    world.instances["a-5"] = labelled
    ring = {"name": "first", "selector": {"matchLabels": {"ring": "first"}}, "bakeSeconds": 600}
    deeds.create(strategy={"waves": [ring]})(world)
    world.at(7, deeds.change_instance("a-5", health_status="unhealthy"))
    world.at(9, deeds.change_instance("a-5", health_status="healthy"))
    world.at(20, deeds.resume())
    world.run(60)
    return world


def offline_canary(seed: int) -> World:
    """An agent goes offline in its wave: the others go on, it gets its time, then drops out."""
    world = World(NOON, seed)
    deeds.create(strategy={"waves": [{"count": 3}], "targetTimeoutSeconds": 1800})(world)
    world.at(1, deeds.go_offline("a-2"))
    world.run(60)
    return world


STORIES = (canary_and_approval, wave_not_good_enough, sick_while_baking, offline_canary)
