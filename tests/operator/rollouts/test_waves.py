"""Waves, driven by the whole engine: who gets an order when."""

from __future__ import annotations

import asyncio
from typing import Any

from hydracore_crds.names import APPROVE_ANNOTATION
from hydracore_crds.rollout import Rollout
from hydracore_kube import Unavailable
from tests.operator.rollouts.world import World, condition

CANARY = {"name": "canary", "count": 1}


def waved(world: World, *waves: dict[str, Any], **strategy: Any) -> Rollout:
    return world.roll(strategy={"waves": list(waves), **strategy})


async def test_only_the_canary_gets_an_order_until_a_person_approves() -> None:
    async with World(instances=4, limit=4) as world:
        rollout = waved(world, {**CANARY, "approval": True})
        world.operator()
        await world.until(
            lambda: condition(world, rollout, "Progressing") == "AwaitingApproval", "the question"
        )
        canary = world.agent(0).instance_id
        assert [instance for instance, _ in world.oracle.accepted] == [canary]
        waves = world.kube.current(rollout).status.waves
        assert waves is not None
        assert [wave.planned for wave in waves] == [1, 3]
        token = waves[0].approval
        assert token is not None
        world.kube.annotate(rollout, **{APPROVE_ANNOTATION: token})
        await world.finished(rollout, "succeeded")
        assert len(world.oracle.activated) == 4


async def test_a_bad_canary_is_the_only_one_that_the_bundle_reaches() -> None:
    async with World(instances=4, limit=4) as world:
        world.agent(0).faults.outcome = "rolled_back"
        rollout = waved(world, CANARY, failureThreshold={"count": 4})
        world.operator()
        await world.finished(rollout, "paused")
        assert condition(world, rollout, "Progressing") == "WaveFailed"
        assert len(world.oracle.accepted) == 1
        reason = world.kube.current(rollout).status.halt_reason or ""
        assert reason.startswith("Halted: wave 1 of 2 (canary) is not good enough: 0 of 1 target")


async def test_the_next_operator_knows_which_waves_are_passed() -> None:
    async with World(instances=3, limit=1) as world:
        rollout = waved(world, CANARY, {"count": 1})
        first = world.operator()
        await world.until(lambda: world.kube.current(rollout).status.wave == 2, "the second wave")
        await first.kill()
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        activated = [instance for instance, _ in world.oracle.activated]
        assert sorted(activated) == sorted(agent.instance_id for agent in world.all_agents())


async def test_a_wave_starts_only_once_it_is_stored_that_the_one_before_has_passed() -> None:
    async with World(instances=3, limit=3) as world:
        rollout = waved(world, CANARY)

        async def refuse(verb: str, _name: str) -> None:
            if verb == "status rollouts" and world.oracle.activated:
                raise Unavailable("no connection to the API server")

        world.kube.before = refuse
        world.operator()
        await world.until(lambda: world.states().count("succeeded") == 1, "the canary")
        await asyncio.sleep(0.2)
        assert len(world.oracle.accepted) == 1
        world.kube.before = None
        await world.finished(rollout, "succeeded")
        assert len(world.oracle.activated) == 3
