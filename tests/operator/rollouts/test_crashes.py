"""The engine as a whole, in memory: crashes, rivals and lost answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hydracore_core.rollouts.model import Plan, Resolve
from hydracore_crds import RolloutTarget
from hydracore_kube import Unavailable
from hydracore_operator.rollouts.executor import Executor
from tests.operator.rollouts.world import Operator, World, release_all


async def test_a_killed_operator_leaves_no_second_activation() -> None:
    async with World(instances=6, limit=3) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        first = world.operator(epoch=1)
        await world.until(lambda: len(world.oracle.in_flight) == 3, "three in flight")
        await first.kill()
        sent = world.agents.count("send_order")
        second = world.operator(epoch=2)
        await world.until(lambda: second.engine.in_flight("acme") == 3, "drives of the new leader")
        assert world.agents.count("send_order") == sent
        await release_all(world, rollout)
        assert len(world.oracle.activated) == len(set(world.oracle.activated)) == 6
        assert all(world.oracle.activations_of(i) == 1 for i in world.agents.agents)
        assert world.oracle.most_in_flight == 3


async def test_a_claim_without_target_is_freed_by_the_next_leader() -> None:
    """The operator dies between its ledger write and in_progress."""
    async with World(instances=1) as world:
        died = asyncio.Event()

        async def die(verb: str, _name: str) -> None:
            if verb == "status rollouttargets":
                died.set()
                await asyncio.Event().wait()

        world.kube.before = die
        rollout = world.roll()
        first = world.operator(epoch=1)
        await asyncio.wait_for(died.wait(), 5)
        await first.kill()
        assert len(world.entries()) == 1
        world.kube.before = None
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        assert len(world.oracle.activated) == 1


async def test_a_crash_between_in_progress_and_the_order() -> None:
    async with World(instances=1) as world:
        stored = asyncio.Event()

        async def die(verb: str, _name: str) -> None:
            if verb == "status rollouttargets":
                stored.set()
                await asyncio.Event().wait()

        world.kube.after = die
        rollout = world.roll()
        first = world.operator(epoch=1)
        await asyncio.wait_for(stored.wait(), 5)
        await first.kill()
        assert world.states() == ["in_progress"]
        assert world.oracle.accepted == []
        world.kube.after = None
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        assert len(world.oracle.accepted) == 1


async def test_two_operators_never_exceed_the_limit() -> None:
    async with World(instances=12, limit=3) as world:
        rollout = world.roll()
        world.operator(epoch=1)
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        assert world.oracle.most_in_flight <= 3
        assert all(world.oracle.activations_of(i) == 1 for i in world.agents.agents)
        await world.until(lambda: not world.entries(), "the ledger to be empty")


async def test_a_blind_old_leader_starts_nothing_twice() -> None:
    """One operator's watch has stopped; both work from what they know."""
    async with World(instances=6, limit=2) as world:
        rollout = world.roll()
        old = world.operator(epoch=1, run=False)
        await old.engine.reconcile("acme")
        world.kube._stores = [s for s in world.kube._stores if s not in old.stores.each()]
        old.run()
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        assert world.oracle.most_in_flight <= 2
        assert all(world.oracle.activations_of(i) == 1 for i in world.agents.agents)


@pytest.mark.parametrize("heard", ["never", "while it looks"])
async def test_a_blind_old_leader_does_not_reopen_what_has_finished(heard: str) -> None:
    """It hears that the rollout has succeeded, but not in time that its targets have."""
    async with World(instances=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        old = world.operator(epoch=1, run=False)
        while len(world.oracle.in_flight) < 2:
            await old.engine.reconcile("acme")
            await asyncio.sleep(0.005)
        await old.engine._tenants["acme"].close()
        world.kube._stores.remove(old.stores.targets)
        world.operator(epoch=2)
        await release_all(world, rollout)
        if heard == "while it looks":
            _tell_before_a_list(world, old)
        written: list[str | None] = []

        async def note(verb: str, _name: str) -> None:
            if verb == "status rollouts":
                written.append(world.state(rollout))

        world.kube.after = note
        await old.engine.reconcile("acme")
        assert world.states() == ["succeeded"] * 2
        assert set(written) <= {"succeeded"}


def _tell_before_a_list(world: World, operator: Operator) -> None:
    """Let an operator's watch tell of all targets just before it gets a list of them."""
    real = world.kube.list

    async def late(kind: type[Any], *args: Any, **kwargs: Any) -> Any:
        for target in world.targets() if kind is RolloutTarget else ():
            operator.stores.targets.apply("MODIFIED", target)
        return await real(kind, *args, **kwargs)

    world.kube.list = late  # type: ignore[method-assign]


async def test_a_lost_ledger_is_written_again() -> None:
    async with World(instances=3, limit=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        first = world.operator(epoch=1)
        await world.until(lambda: len(world.oracle.in_flight) == 2, "two in flight")
        await first.kill()
        world.kube.raw.clear()
        world.operator(epoch=2)
        await world.until(lambda: len(world.entries()) == 2, "two entries")
        await release_all(world, rollout)
        assert world.oracle.most_in_flight == 2


async def test_unknown_outcomes_of_writes_lose_nothing() -> None:
    """Every third write is carried out, but its answer is lost."""
    async with World(instances=6, limit=3) as world:
        writes = 0

        async def lose(_verb: str, _name: str) -> None:
            nonlocal writes
            writes += 1
            if writes % 3 == 0:
                raise Unavailable("the answer was lost")

        world.kube.after = lose
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        assert world.oracle.most_in_flight <= 3
        assert all(world.oracle.activations_of(i) == 1 for i in world.agents.agents)


async def test_a_second_writer_loses_no_status() -> None:
    async with World(instances=6, limit=2) as world:
        rollout = world.roll()
        world.operator()
        stop = asyncio.Event()

        async def scribble() -> int:
            count = 0
            while not stop.is_set():
                count += 1
                world.kube.annotate(rollout, scribble=str(count))
                for target in world.targets():
                    world.kube.annotate(target, scribble=str(count))
                await asyncio.sleep(0.02)
            return count

        scribbling = asyncio.create_task(scribble())
        await world.finished(rollout, "succeeded")
        stop.set()
        assert await scribbling > 1
        counts = world.kube.current(rollout).status.counts
        assert counts is not None
        assert counts.succeeded == counts.total == 6


async def test_an_adopted_order_is_fenced_before_it_is_withdrawn() -> None:
    """The ledger is lost; whoever stored in_progress may have sent the order as well."""
    async with World(instances=1) as world:
        stored = asyncio.Event()

        async def die(verb: str, _name: str) -> None:
            if verb == "status rollouttargets":
                stored.set()
                await asyncio.Event().wait()

        world.kube.after = die
        rollout = world.roll()
        first = world.operator(epoch=1)
        await asyncio.wait_for(stored.wait(), 5)
        await first.kill()
        world.kube.after = None
        world.kube.raw.clear()
        world.kube.edit(rollout, cancel="Graceful")
        world.operator(epoch=2)
        await world.finished(rollout, "cancelled")
        assert world.agents.count("abort") == 1
        assert world.oracle.accepted == []


async def test_a_stale_copy_of_a_rollout_is_read_again_after_a_conflict() -> None:
    """The watch is late: the same copy must not be tried over and over."""
    async with World(instances=1) as world:
        rollout = world.roll()
        operator = world.operator(run=False)
        world.kube.deaf = True
        world.kube.annotate(rollout, other="writer")
        tries: list[str] = []

        async def count(verb: str, _name: str) -> None:
            tries.append(verb)

        world.kube.before = count
        await operator.engine.reconcile("acme")
        assert tries.count("finalizers rollouts") == 2
        assert world.kube.current(rollout).metadata.finalizers


async def test_a_stale_plan_does_not_end_the_drive_of_an_order_that_has_just_begun() -> None:
    async with World(instances=1) as world:
        world.agent(0).hold = True
        world.roll()
        operator = world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        tenant = operator.engine._tenants["acme"]
        (slot,) = tenant.ledger.slots()
        await Executor(lambda: "unused").apply(tenant, Plan(intents=(Resolve(slot),)))
        await asyncio.sleep(0)
        assert tenant.drives.ids() == {slot.task_id}


async def test_a_retry_that_was_not_heard_of_is_not_taken_for_the_end() -> None:
    """Another operator has begun it; this one hears of the rollout, and of no target."""
    async with World(instances=2) as world:
        world.agent(0).faults.outcome = "rejected"
        rollout = world.roll()
        deaf = world.operator(epoch=2)
        await world.finished(rollout, "failed")
        world.kube._stores.remove(deaf.stores.targets)
        states: list[str | None] = []

        async def note(verb: str, _name: str) -> None:
            if verb == "status rollouts":
                states.append(world.state(rollout))

        world.kube.after = note
        world.agent(0).faults.outcome = "activated"
        world.agent(0).hold = True
        world.kube.edit(world.target_of(0), attempt=2)
        other = world.operator(epoch=1)
        await world.until(lambda: world.state(rollout) == "in_progress", "the retry to be seen")
        for _ in range(20):
            deaf.queue.add("acme")
            other.queue.add("acme")
            await asyncio.sleep(0.01)
        await release_all(world, rollout)
        assert "failed" not in states
