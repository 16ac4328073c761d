"""The cap over all tenants; what is in flight is what the agents counted."""

from __future__ import annotations

import asyncio
import random

import pytest

from hydracore_crds import Rollout
from hydracore_kube import Unavailable
from hydracore_operator.rollouts.allotments import PLATFORM_LEDGER
from hydracore_operator.rollouts.ledger import ledger_name
from tests.operator.rollouts.tenants import HOME, Tenants
from tests.operator.rollouts.world import condition


async def test_without_a_cap_no_ledger_of_the_platform_is_kept() -> None:
    async with Tenants(3, 3, limit=2) as world:
        rollouts = world.roll_in("t0", "t1")
        world.operator()
        await world.all_succeeded(rollouts)
        assert (HOME, PLATFORM_LEDGER) not in world.kube.raw
        assert world.books("t0")[1] is None


async def test_the_cap_holds_over_all_tenants_and_is_used() -> None:
    async with Tenants(6, 6, 6, limit=4, cap=5) as world:
        world.watch_books(5)
        rollouts = world.roll_in("t0", "t1", "t2")
        world.operator()
        await world.all_succeeded(rollouts)
        assert world.oracle.most_in_flight == 5
        assert all(world.oracle.activations_of(i) == 1 for i in world.agents.agents)


async def test_a_tenant_alone_has_all_that_its_own_limit_allows() -> None:
    async with Tenants(6, 1, limit=4, cap=5) as world:
        world.hold()
        world.roll_in("t0")
        world.operator()
        await world.until(lambda: world.flying() == {"t0": 4}, "four in flight")
        await asyncio.sleep(0.05)
        assert len(world.oracle.accepted) == 4


async def test_who_comes_later_gets_a_fair_share_as_orders_end() -> None:
    async with Tenants(9, 9, limit=4, cap=4) as world:
        world.watch_books(4)
        world.hold()
        world.roll_in("t0")
        world.operator()
        await world.until(lambda: world.flying() == {"t0": 4}, "four of the first")
        (late,) = world.roll_in("t1")
        await world.until(
            lambda: condition(world, late, "Progressing") == "WaitingForSlot", "the second to wait"
        )
        assert "the platform grants this tenant 0 slots" in (
            world.kube.current(late).status.message or ""
        )
        for number in (1, 2):
            world.finish_one("t0")
            await world.until(
                lambda n=number: world.flying() == {"t0": 4 - n, "t1": n},  # type: ignore[misc]
                f"{number} of the second: {world.flying()}",
            )
        world.finish_one("t0")
        await world.until(lambda: world.accepted().count("t0") == 5, "the first to go on")
        assert world.flying() == {"t0": 2, "t1": 2}


async def test_slots_that_lie_idle_go_to_who_needs_them() -> None:
    async with Tenants(3, 3, limit=3, cap=3) as world:
        world.watch_books(3)
        first = world.roll_in("t0")
        world.operator()
        await world.all_succeeded(first)
        assert world.allotted() == {"t0": 3}
        await world.all_succeeded(world.roll_in("t1"))
        assert world.accepted() == ["t0"] * 3 + ["t1"] * 3


def waiting(world: Tenants, rollouts: list[Rollout]) -> int:
    reasons = [condition(world, found, "Progressing") for found in rollouts]
    return reasons.count("WaitingForSlot")


async def test_with_more_tenants_than_slots_each_has_its_turn() -> None:
    async with Tenants(4, 4, 4, limit=2, cap=1) as world:
        world.watch_books(1)
        world.hold()
        rollouts = world.roll_in("t0", "t1", "t2")
        world.operator()
        await world.until(lambda: len(world.oracle.accepted) == 1, "the first")
        await world.until(lambda: waiting(world, rollouts) == 2, "the others to wait")
        world.let_go()
        await world.all_succeeded(rollouts)
        order = world.accepted()
        assert world.oracle.most_in_flight == 1
        for start in range(0, 12, 3):
            assert sorted(order[start : start + 3]) == ["t0", "t1", "t2"], order


async def test_a_cap_that_comes_while_orders_are_out_lets_nothing_start_above_it() -> None:
    async with Tenants(6, 6, limit=3) as world:
        world.hold()
        rollouts = world.roll_in("t0", "t1")
        world.operator()
        await world.until(lambda: world.flying() == {"t0": 3, "t1": 3}, "six in flight")
        world.cap(4)
        await world.until(lambda: world.allotted() == {"t0": 3, "t1": 3}, "them to be counted")
        for ended, left in ((1, 5), (2, 4)):
            world.finish_one("t0")
            await world.until(
                lambda n=left: sum(world.flying().values()) == n, f"the end of {ended}"
            )  # type: ignore[misc]
            await asyncio.sleep(0.05)
            assert len(world.oracle.accepted) == 6, f"one started after {ended} had ended"
        world.finish_one("t1")
        await world.until(lambda: len(world.oracle.accepted) == 7, "one to start below the cap")
        await world.until(lambda: world.flying() == {"t0": 2, "t1": 2}, f"{world.flying()}")
        world.watch_books(4)
        world.let_go()
        await world.all_succeeded(rollouts)


async def test_a_cap_that_is_taken_away_leaves_the_tenants_their_own_limits() -> None:
    async with Tenants(6, 6, limit=3, cap=2) as world:
        world.hold()
        rollouts = world.roll_in("t0", "t1")
        world.operator()
        await world.until(lambda: sum(world.flying().values()) == 2, "two in flight")
        world.cap(None)
        await world.until(lambda: world.flying() == {"t0": 3, "t1": 3}, "six in flight")
        assert (world.books("t0"), world.books("t1")) == ((3, None), (3, None))
        world.cap(4)
        world.let_go()
        await world.all_succeeded(rollouts)


async def test_a_tenant_that_goes_leaves_its_slots_to_others() -> None:
    async with Tenants(3, 3, limit=3, cap=3) as world:
        first = world.roll_in("t0")
        operator = world.operator()
        await world.all_succeeded(first)
        world.kube.remove(world.spaces["t0"])
        operator.queue.add("t0")
        await world.all_succeeded(world.roll_in("t1"))
        assert world.allotted() == {"t1": 3}


@pytest.mark.parametrize("seed", range(12))
async def test_two_operators_never_exceed_the_cap(seed: int) -> None:
    """Both believe to lead; their requests overtake each other at random."""
    chance = random.Random(seed)
    async with Tenants(4, 4, 2, limit=3, cap=4) as world:
        world.watch_books(4)

        async def dawdle(_verb: str, _name: str) -> None:
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)

        world.kube.before = dawdle
        rollouts = world.roll_in("t0", "t1", "t2")
        world.operator(epoch=1)
        world.operator(epoch=1 + seed % 2)
        await world.all_succeeded(rollouts)
        assert world.oracle.most_in_flight <= 4
        assert all(world.oracle.activations_of(i) == 1 for i in world.agents.agents)


async def test_unknown_outcomes_of_ledger_writes_exceed_nothing() -> None:
    """Every third write of a ledger is carried out, but its answer is lost."""
    async with Tenants(4, 4, limit=3, cap=4) as world:
        writes = 0

        async def lose(verb: str, _name: str) -> None:
            nonlocal writes
            if not verb.endswith("configmaps"):
                return
            world.check_books(4)
            writes += 1
            if writes % 3 == 0:
                raise Unavailable("the answer was lost")

        world.kube.after = lose
        rollouts = world.roll_in("t0", "t1")
        world.operator()
        await world.all_succeeded(rollouts)
        assert world.oracle.most_in_flight <= 4


async def test_ledgers_that_are_lost_are_written_again_from_what_is_in_flight() -> None:
    async with Tenants(4, 4, limit=3, cap=4) as world:
        world.hold()
        rollouts = world.roll_in("t0", "t1")
        first = world.operator(epoch=1)
        await world.until(lambda: sum(world.flying().values()) == 4, "four in flight")
        flying = world.flying()
        await first.kill()
        world.kube.raw.clear()
        world.operator(epoch=2)
        await world.until(lambda: world.allotted() == flying, "the platform's ledger")
        for name, number in flying.items():
            books = (number, number)
            await world.until(lambda n=name, b=books: world.books(n) == b, "the ledgers")  # type: ignore[misc]
        world.watch_books(4)
        world.let_go()
        await world.all_succeeded(rollouts)
        assert world.oracle.most_in_flight == 4


async def test_the_platforms_ledger_is_deleted_while_orders_are_out() -> None:
    async with Tenants(4, 4, limit=3, cap=4) as world:
        world.hold()
        rollouts = world.roll_in("t0")
        world.operator()
        await world.until(lambda: world.flying() == {"t0": 3}, "three in flight")
        del world.kube.raw[HOME, PLATFORM_LEDGER]
        rollouts += world.roll_in("t1")
        await world.until(lambda: world.flying() == {"t0": 3, "t1": 1}, f"{world.flying()}")
        world.check_books(4)
        world.let_go()
        await world.all_succeeded(rollouts)
        assert world.oracle.most_in_flight == 4


async def test_a_platform_ledger_that_cannot_be_read_grants_nothing_new() -> None:
    async with Tenants(4, 4, limit=2, cap=4) as world:
        world.hold()
        world.roll_in("t0")
        first = world.operator(epoch=1)
        await world.until(lambda: world.flying() == {"t0": 2}, "two in flight")
        await first.kill()
        world.kube.raw[HOME, PLATFORM_LEDGER]["data"]["scribble"] = "x"
        world.operator(epoch=2)
        world.roll_in("t1")
        world.finish_one("t0")
        await world.until(lambda: world.accepted() == ["t0"] * 3, "what is granted goes on")
        await asyncio.sleep(0.1)
        assert "t1" not in world.accepted()


@pytest.mark.parametrize("grant", ["7", "-1@2", "2@x", ""])
async def test_a_grant_that_cannot_be_read_lets_nothing_start(grant: str) -> None:
    async with Tenants(2, limit=2, cap=2) as world:
        ledger = world.spaces["t0"].metadata.uid
        world.kube.raw[HOME, ledger_name(ledger)] = {
            "metadata": {
                "name": ledger_name(ledger),
                "resourceVersion": "1",
                "annotations": {"hydracore.io/granted": grant},
            }
        }
        world.roll_in("t0")
        world.operator()
        await asyncio.sleep(0.1)
        assert world.oracle.accepted == []


async def _die_at(number: int, *, carried_out: bool) -> bool:
    """Let the operator die at its n-th write of a ledger; return whether it came so far."""
    async with Tenants(3, 3, limit=2, cap=2) as world:
        dead, writes = asyncio.Event(), 0

        async def die(verb: str, _name: str) -> None:
            nonlocal writes
            if not verb.endswith("configmaps"):
                return
            world.check_books(2)
            writes += 1
            if writes >= number:
                dead.set()
                await asyncio.Event().wait()

        async def check(verb: str, _name: str) -> None:
            if verb.endswith("configmaps"):
                world.check_books(2)

        if carried_out:
            world.kube.after = die
        else:
            world.kube.before, world.kube.after = die, check
        rollouts = world.roll_in("t0", "t1")
        first = world.operator(epoch=1)
        finished = asyncio.create_task(world.all_succeeded(rollouts))
        await asyncio.wait(
            {finished, asyncio.create_task(dead.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        finished.cancel()
        await first.kill()
        world.kube.before = None
        world.watch_books(2)
        world.operator(epoch=2)
        await world.all_succeeded(rollouts)
        assert world.oracle.most_in_flight <= 2
        assert all(world.oracle.activations_of(i) == 1 for i in world.agents.agents)
        return dead.is_set()


@pytest.mark.parametrize("carried_out", [True, False])
async def test_an_operator_that_dies_at_any_write_of_a_ledger_exceeds_nothing(
    *, carried_out: bool
) -> None:
    number = 1
    while await _die_at(number, carried_out=carried_out):
        number += 1
    assert number > 10
