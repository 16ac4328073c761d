"""How far apart the passes over one tenant are: far while little is to be gained by one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hydracore_operator.rollouts import Timing
from tests.operator.rollouts.world import FAST, World

RARE = replace(FAST, load_factor=1e9, hurry_factor=0.0, coalesce_max=60.0)
"""Only slots to fill bring about a pass; without them there is one a minute."""


async def test_as_soon_as_many_slots_are_free_they_are_filled() -> None:
    async with World(instances=30, limit=10) as world:
        rollout = world.roll()
        world.operator(timing=RARE)
        await world.until(lambda: world.states().count("succeeded") >= 20, "most to succeed")
        assert world.state(rollout) == "in_progress"


async def test_one_slot_of_many_waits_for_others() -> None:
    async with World(instances=30, limit=20) as world:
        for agent in world.all_agents():
            agent.hold = True
        world.roll()
        world.operator(timing=RARE)
        await world.until(lambda: len(world.oracle.in_flight) == 20, "all slots to be taken")
        first, second = (world.agent(n) for n in (0, 1))
        first.release()
        await world.until(lambda: world.states().count("succeeded") == 1, "the first end")
        await asyncio.sleep(0.1)
        assert world.states().count("in_progress") == 19
        second.release()
        await world.until(lambda: world.states().count("in_progress") == 20, "slots to be filled")
        assert world.states().count("succeeded") == 2


@pytest.mark.parametrize("ticks", range(5))
async def test_a_stop_that_comes_with_free_slots_is_not_lost(ticks: int) -> None:
    async with World(instances=2, limit=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        world.roll()
        operator = world.operator(timing=RARE)
        await world.until(lambda: len(world.oracle.in_flight) == 2, "all slots to be taken")
        operator.queue.add("acme")
        await asyncio.sleep(0.05)
        (tenant,) = operator.engine._tenants.values()
        tenant.hurry.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await operator.kill()


@pytest.mark.parametrize(
    ("took", "hurry", "pause"),
    [(0.0, False, 0.1), (0.5, False, 1.0), (0.5, True, 0.5), (3.0, False, 2.0), (3.0, True, 2.0)],
)
def test_a_pause_grows_with_what_a_pass_costs(took: float, *, hurry: bool, pause: float) -> None:
    timing = Timing(coalesce=0.1, coalesce_max=2.0, load_factor=2.0, hurry_factor=1.0)
    assert timing.pause(took, hurry=hurry) == pause
