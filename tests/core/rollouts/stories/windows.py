"""Windows: their edges, what fits into them, clocks that change, a freeze."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.core.rollouts import deeds
from tests.core.rollouts.agents import Behaviour
from tests.core.rollouts.builders import policy
from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories.times import EVENING, NOON
from tests.core.windows.policies import BERLIN, allow, deny

BEFORE_SUMMER = datetime(2026, 3, 28, 18, 0, tzinfo=UTC)


def window_edges(seed: int) -> World:
    """Window 22:00 to 23:00: nothing before, nothing new after, the rest the next day."""
    world = World(EVENING, seed, policy=policy(2, window=(22, 23)))
    for agent in world.agents.values():
        agent.default = Behaviour(minutes=25)
    deeds.script("a-3", Behaviour(minutes=50))(world)
    deeds.create(strategy={"targetTimeoutSeconds": 3600})(world)
    world.run(26 * 60)
    return world


def window_fit(seed: int) -> World:
    """Updates take 40 minutes of a window of an hour; who would run past its close, waits."""
    world = World(EVENING, seed, policy=policy(2, window=(22, 23)))
    for agent in world.agents.values():
        agent.default = Behaviour(minutes=40)
    deeds.create(strategy={"targetTimeoutSeconds": 3600})(world)
    world.run(50 * 60)
    return world


def window_too_short(seed: int) -> World:
    """Updates take longer than any window lasts: nothing starts until a person finds a way."""
    nights = [allow("0 22 * * *", "1h"), allow("0 4 * * *", "20m")]
    world = World(EVENING, seed, policy=policy(2, windows=nights))
    for agent in world.agents.values():
        agent.default = Behaviour(minutes=70)
    deeds.create(strategy={"targetTimeoutSeconds": 7200, "maxParallel": 1})(world)
    world.at(
        26 * 60, deeds.create("now", strategy={"targetTimeoutSeconds": 7200}, override_window=True)
    )
    world.run(33 * 60)
    return world


def over_midnight(seed: int) -> World:
    """Window 23:00 to 01:00 wraps midnight; the rollout goes on through it."""
    world = World(EVENING, seed, policy=policy(1, window=(23, 1)))
    for agent in world.agents.values():
        agent.default = Behaviour(minutes=14)
    deeds.create()(world)
    world.run(27 * 60)
    return world


def clocks_change(seed: int) -> World:
    """Nights in Berlin, six hours from 22:00, while the clocks go forward; deny wins in between."""
    nights = allow("0 22 * * *", "6h", BERLIN, "nights")
    change = deny("30 1 * * SUN", "2h", BERLIN, "clocks change")
    world = World(BEFORE_SUMMER, seed, policy=policy(1, windows=[nights, change]))
    for agent in world.agents.values():
        agent.default = Behaviour(minutes=80)
    deeds.create(strategy={"targetTimeoutSeconds": 7200})(world)
    world.run(36 * 60)
    return world


def override(seed: int) -> World:
    """Outside the window one rollout waits, another with overrideWindow does not."""
    world = World(NOON, seed, policy=policy(1, window=(22, 23)))
    deeds.create("waits", instance_names=["a-0", "a-1"])(world)
    deeds.create("urgent", instance_names=["a-2", "a-3"], override_window=True)(world)
    world.run(60)
    return world


def frozen_platform(seed: int) -> World:
    """An incident: what flies lands, nothing starts, not even what overrides the window."""
    world = World(NOON, seed, policy=policy(2, window=(11, 13)))
    deeds.script("a-1", Behaviour(minutes=2, outcome="rolled_back"))(world)
    strategy = {"progressDeadlineSeconds": 900, "retryLimit": 1}
    deeds.create(strategy=strategy, instance_names=["a-0", "a-1", "a-2", "a-3"])(world)
    world.at(1, deeds.freeze())
    world.at(6, deeds.create("urgent", instance_names=["a-4"], override_window=True))
    world.at(20, deeds.unfreeze())
    world.at(22, deeds.freeze(minutes=12, reason="it is back"))
    world.at(25, deeds.take_back())
    world.run(60)
    return world


STORIES = (
    window_edges,
    window_fit,
    window_too_short,
    over_midnight,
    clocks_change,
    override,
    frozen_platform,
)
