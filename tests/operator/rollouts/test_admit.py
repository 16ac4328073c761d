"""How a rollout comes to its targets, and what happens meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from hydracore_crds import ObjectMeta, OwnerReference, RolloutTarget
from hydracore_crds.base import API_VERSION
from hydracore_crds.rollout_target import RolloutTargetSpec
from hydracore_kube import Forbidden
from hydracore_operator.rollouts.admit import BATCH
from tests.operator.rollouts.builders import DIGEST
from tests.operator.rollouts.world import FAST, World

CREATE = "create rollouttargets"


async def test_targets_start_while_others_are_still_being_created() -> None:
    async with World(instances=BATCH + 2, limit=2) as world:
        held = asyncio.Event()

        async def hold_the_last(verb: str, name: str) -> None:
            if verb == CREATE and name.endswith(f"{BATCH + 1:05d}"):
                await held.wait()

        world.kube.before = hold_the_last
        rollout = world.roll()
        world.operator()
        await world.until(lambda: world.states().count("succeeded") > 2, "the first to succeed")
        status = world.kube.current(rollout).status
        assert status.targets_created is None
        assert status.state == "in_progress"
        held.set()
        await world.finished(rollout, "succeeded")
        assert world.kube.current(rollout).status.targets_created
        assert len(world.oracle.activated) == BATCH + 2


@pytest.mark.parametrize(
    ("limit", "later"), [(2, FAST.creates_at_once), (BATCH * 2, FAST.writes_at_once)]
)
async def test_few_are_created_at_once_while_enough_wait_for_all_slots(
    limit: int, later: int
) -> None:
    async with World(instances=BATCH * 2, limit=limit) as world:
        at_once, most = 0, [0, 0]

        async def count(verb: str, name: str) -> None:
            nonlocal at_once
            if verb != CREATE:
                return
            at_once += 1
            batch = int(name[-5:]) // BATCH
            most[batch] = max(most[batch], at_once)
            await asyncio.sleep(0.001)
            at_once -= 1

        world.kube.before = count
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        assert most == [FAST.writes_at_once, later]


async def test_an_instance_that_comes_later_joins_a_dynamic_rollout() -> None:
    async with World(instances=2, limit=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll(dynamic=True)
        world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 2, "two in flight")
        world.add_instance("late")
        await world.until(lambda: len(world.targets()) == 3, "the third target")
        for agent in world.all_agents():
            agent.hold = False
            agent.release()
        await world.finished(rollout, "succeeded")
        assert len(world.oracle.activated) == 3


async def test_a_cancel_stops_the_creation() -> None:
    async with World(instances=BATCH * 2, limit=1) as world:
        second = asyncio.Event()

        async def wait_in_the_second_batch(verb: str, name: str) -> None:
            if verb == CREATE and name.endswith(f"{BATCH:05d}"):
                second.set()
                await asyncio.Event().wait()

        world.kube.before = wait_in_the_second_batch
        rollout = world.roll()
        world.operator()
        await asyncio.wait_for(second.wait(), 10)
        world.kube.edit(rollout, cancel="Graceful")
        await world.finished(rollout, "cancelled")
        created = len(world.targets())
        assert created < BATCH * 2
        await asyncio.sleep(0.05)
        assert len(world.targets()) == created


async def test_a_refused_creation_does_not_try_all_the_others() -> None:
    async with World(instances=BATCH * 3, limit=1) as world:
        tried: list[str] = []

        async def refuse(verb: str, name: str) -> None:
            if verb == CREATE:
                tried.append(name)
                raise Forbidden("exceeded quota", status=403)

        world.kube.before = refuse
        rollout = world.roll()
        world.operator()
        await world.until(lambda: len(tried) >= BATCH, "the first batch to be tried")
        assert set(tried) == {f"to-110-{number:05d}" for number in range(BATCH)}
        world.kube.before = None
        await world.until(lambda: len(world.targets()) == BATCH * 3, "all targets")
        assert world.kube.current(rollout).status.artifact is not None


async def test_the_next_operator_goes_on_creating() -> None:
    async with World(instances=BATCH + 4, limit=2) as world:
        lost = asyncio.Event()

        async def die_there(verb: str, name: str) -> None:
            if verb == CREATE and name.endswith(f"{BATCH:05d}"):
                lost.set()
                await asyncio.Event().wait()

        world.kube.before = die_there
        rollout = world.roll()
        first = world.operator()
        await asyncio.wait_for(lost.wait(), 10)
        await first.kill()
        world.kube.before = None
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        activated = [instance for instance, _ in world.oracle.activated]
        assert len(activated) == len(set(activated)) == BATCH + 4


async def test_a_leftover_of_a_deleted_namesake_is_waited_for() -> None:
    async with World(instances=1) as world:
        owner = OwnerReference(
            api_version=API_VERSION, kind="Rollout", name="to-110", uid="an-older-one"
        )
        leftover = world.kube.put(
            RolloutTarget(
                metadata=ObjectMeta(
                    name="to-110-00000", namespace="acme", owner_references=[owner]
                ),
                spec=RolloutTargetSpec(
                    rollout_name="to-110",
                    instance_name="i00",
                    instance_id=world.agent(0).instance_id,
                    bundle_hash=DIGEST,
                    order=0,
                ),
            )
        )
        rollout = world.roll()
        world.operator()
        await world.until(
            lambda: world.kube.current(rollout).status.artifact is not None, "the pin"
        )
        assert world.kube.current(rollout).status.targets_created is None
        world.kube.remove(leftover)
        await world.finished(rollout, "succeeded")
