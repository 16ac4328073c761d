"""A freeze of the platform in the engine: nothing starts, what is in flight ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hydracore_kube import Unavailable
from tests.core.rollouts.builders import platform
from tests.operator.rollouts.world import World, condition, reason, release_all


async def test_what_is_in_flight_ends_and_nothing_starts_until_the_end_of_the_freeze() -> None:
    async with World(instances=4, limit=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll(override_window=True)
        world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 2, "two in flight")
        world.kube.put(platform("an incident"))
        for agent in world.all_agents():
            agent.hold = False
            agent.release()
        await world.until(lambda: world.states().count("succeeded") == 2, "both to end")
        await world.until(lambda: not world.entries(), "the slots to be free")
        await asyncio.sleep(0.1)
        assert len(world.oracle.accepted) == 2
        assert condition(world, rollout, "Progressing") == "PlatformFrozen"
        world.kube.put(platform())
        await release_all(world, rollout)
        assert len(world.oracle.accepted) == 4


async def test_a_freeze_that_comes_before_the_order_holds_it_back() -> None:
    async with World(instances=1) as world:

        async def freeze(verb: str, _name: str) -> None:
            if verb == "status rollouttargets":
                world.kube.put(platform("an incident"))

        world.kube.after = freeze
        rollout = world.roll(override_window=True)
        world.operator()
        await world.until(lambda: reason(world, 0) == "Queued", "the target to be put back")
        await world.until(lambda: not world.entries(), "the slot to be free")
        (told,) = world.target_of(0).status.conditions
        assert told.message == "the platform was frozen before the order went out"
        assert world.oracle.accepted == []
        world.kube.after = None
        world.kube.put(platform())
        await world.finished(rollout, "succeeded")


async def test_a_freeze_that_comes_before_in_progress_keeps_the_target_queued() -> None:
    async with World(instances=1) as world:
        refused: list[str] = []

        async def away(verb: str, name: str) -> None:
            if verb == "status rollouttargets":
                refused.append(name)
                world.kube.put(platform("an incident"))
                raise Unavailable("away")

        world.kube.before = away
        world.roll(override_window=True)
        world.operator()
        await world.until(lambda: bool(refused) and not world.entries(), "the slot to be free")
        assert (world.states(), len(refused)) == (["queued"], 1)


async def test_a_freeze_ends_by_itself() -> None:
    async with World(instances=1) as world:
        ends = world.clock.now() + timedelta(seconds=0.3)
        world.kube.put(platform("soon over", ends))
        rollout = world.roll()
        world.operator()
        await world.until(
            lambda: condition(world, rollout, "Progressing") == "PlatformFrozen", "the freeze"
        )
        assert world.oracle.accepted == []
        await world.finished(rollout, "succeeded")
