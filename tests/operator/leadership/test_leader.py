"""Leadership: one at a time, a rising epoch, and no trust in a Lease that may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hydracore_devcluster.client import Api
from hydracore_kube import KubeClient, Unavailable, Where
from hydracore_operator.clock import SystemClock
from hydracore_operator.leadership.leader import Elector
from tests.operator.fakes import FakeClock, LeaseServer, settle


def _elector(server: LeaseServer, clock: FakeClock, identity: str) -> Elector:
    return Elector(
        server.client(), namespace="s", identity=identity, clock=clock, jitter=lambda: 0.5
    )


@asynccontextmanager
async def _task(coroutine: object) -> AsyncIterator[asyncio.Task[object]]:
    task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
    await settle()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_first_epoch_is_one_and_the_lease_says_who_leads() -> None:
    server, clock = LeaseServer(), FakeClock()
    one = _elector(server, clock, "one")
    assert not one.is_leader()
    assert await one.acquire() == 1
    assert one.is_leader()
    assert server.spec["holderIdentity"] == "one"
    assert server.spec["leaseTransitions"] == 1
    assert server.spec["renewTime"] == "2030-01-01T00:00:00.000000Z"


async def test_an_attempt_takes_what_is_free_and_does_not_wait() -> None:
    server, clock = LeaseServer(), FakeClock()
    one, two = _elector(server, clock, "one"), _elector(server, clock, "two")
    assert await one.attempt()
    assert not await two.attempt()
    await one.release()
    assert await two.attempt()
    assert (one.epoch, two.epoch) == (1, 2)


async def test_renewing_keeps_epoch_and_acquire_time() -> None:
    server, clock = LeaseServer(), FakeClock()
    one = _elector(server, clock, "one")
    await one.acquire()
    acquired = server.spec["acquireTime"]
    async with _task(one.hold()) as hold:
        await clock.advance(60)
        assert not hold.done()
        assert one.is_leader()
    assert (one.epoch, server.spec["acquireTime"]) == (1, acquired)
    assert server.spec["renewTime"] > acquired
    assert server.writes >= 30


async def test_a_second_candidate_waits_for_the_whole_lease_and_raises_the_epoch() -> None:
    server, clock = LeaseServer(), FakeClock()
    one, two = _elector(server, clock, "one"), _elector(server, clock, "two")
    await one.acquire()
    async with _task(two.acquire()) as waiting:
        await clock.advance(14.9)
        assert not waiting.done()
        await clock.advance(4)
        assert waiting.result() == 2
    assert two.is_leader()
    assert not one.is_leader()


async def test_the_old_holder_has_stopped_before_another_can_lead() -> None:
    server, clock = LeaseServer(), FakeClock()
    one, two = _elector(server, clock, "one"), _elector(server, clock, "two")
    await one.acquire()
    async with _task(two.acquire()) as waiting:
        for _ in range(400):
            await clock.advance(0.05)
            assert not (one.is_leader() and two.is_leader())
        assert waiting.done()


async def test_a_frozen_holder_knows_at_once_that_it_cannot_be_trusted() -> None:
    server, clock = LeaseServer(), FakeClock()
    one = _elector(server, clock, "one")
    await one.acquire()
    async with _task(one.hold()) as hold:
        clock.freeze(11)
        assert not one.is_leader()
        await clock.advance(0)
        assert hold.done()
        assert "older than the renew deadline" in str(hold.result())
    assert server.writes == 1


async def test_faults_are_waited_out_until_the_renew_deadline() -> None:
    server, clock = LeaseServer(), FakeClock()
    one = _elector(server, clock, "one")
    await one.acquire()
    async with _task(one.hold()) as hold:
        server.fault = Unavailable("away")
        await clock.advance(7)
        assert one.is_leader()
        server.fault = None
        await clock.advance(4)
        assert one.is_leader()
        server.fault = Unavailable("away")
        await clock.advance(11)
        assert not one.is_leader()
        await clock.advance(4)
        assert hold.done()


async def test_losing_the_lease_to_another_ends_the_hold() -> None:
    server, clock = LeaseServer(), FakeClock()
    one = _elector(server, clock, "one")
    await one.acquire()
    async with _task(one.hold()) as hold:
        server.spec.update(holderIdentity="thief", leaseTransitions=7)
        await clock.advance(2.5)
        assert "thief" in str(hold.result())
    assert not one.is_leader()


async def test_a_released_lease_is_taken_without_waiting() -> None:
    server, clock = LeaseServer(), FakeClock()
    one, two = _elector(server, clock, "one"), _elector(server, clock, "two")
    await one.acquire()
    await one.release()
    assert not one.is_leader()
    assert await two.acquire() == 2


async def test_a_lost_lease_is_not_released_under_the_feet_of_its_new_holder() -> None:
    server, clock = LeaseServer(), FakeClock()
    one, two = _elector(server, clock, "one"), _elector(server, clock, "two")
    await one.acquire()
    async with _task(two.acquire()):
        await clock.advance(20)
    await one.release()
    assert server.spec["holderIdentity"] == "two"


async def test_a_lease_deleted_while_held_never_lowers_the_epoch() -> None:
    server, clock = LeaseServer(), FakeClock()
    one = _elector(server, clock, "one")
    server.lease = None
    await one.acquire()
    server.spec["leaseTransitions"] = 5
    async with _task(one.hold()) as hold:
        await clock.advance(2.5)
        assert "taken" in str(hold.result())  # the epoch changed under it: better to start anew
        assert one.epoch == 5
        server.lease = None
    assert await one.acquire() == 6


async def test_a_process_that_bears_its_predecessors_name_leads_under_another_epoch() -> None:
    """As with a container that is started again under a fixed identity."""
    server, clock = LeaseServer(), FakeClock()
    before, after = _elector(server, clock, "pod-0"), _elector(server, clock, "pod-0")
    await before.acquire()
    async with _task(after.acquire()) as waiting:
        await clock.advance(14.9)
        assert not waiting.done()
        await clock.advance(4)
        assert waiting.result() == 2


async def test_a_leadership_begins_above_every_epoch_on_record() -> None:
    server, clock, record = LeaseServer(), FakeClock(), 7

    async def floor() -> int:
        return record

    def elector(identity: str) -> Elector:
        return Elector(server.client(), namespace="s", identity=identity, clock=clock, floor=floor)

    one = elector("one")
    assert await one.acquire() == 8  # the Lease was deleted: without the record it would be 1
    await one.release()
    record = 3
    assert await elector("two").acquire() == 9
    record = 20
    server.spec.pop("holderIdentity")
    assert await elector("three").acquire() == 21
    assert server.spec["leaseTransitions"] == 21


async def test_nobody_leads_while_the_record_cannot_be_read() -> None:
    server, clock = LeaseServer(), FakeClock()
    away = True

    async def floor() -> int:
        if away:
            raise Unavailable("away")
        return 4

    one = Elector(server.client(), namespace="s", identity="one", clock=clock, floor=floor)
    async with _task(one.acquire()) as waiting:
        await clock.advance(30)
        assert not waiting.done()
        assert server.lease is None
        away = False
        await clock.advance(5)
        assert waiting.result() == 5


@pytest.mark.cluster
async def test_two_candidates_on_the_real_api_server(
    operator_kubeconfig: str, admin_api: Api
) -> None:
    kube = await KubeClient.connect(operator_kubeconfig, field_manager="test")
    clock = SystemClock()
    electors = [
        Elector(
            kube,
            namespace="hydracore-system",
            identity=f"e{n}",
            lease_seconds=3,
            name="frame-test",
            clock=clock,
        )
        for n in range(2)
    ]
    tasks = [asyncio.create_task(elector.acquire()) for elector in electors]
    try:
        async with asyncio.timeout(20):
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result() for task in done} == {1}
            first = next(e for e in electors if e.is_leader())
            second = next(e for e in electors if e is not first)
            assert first.epoch == 1
            # The first one falls silent: it is never renewed again.
            await asyncio.wait(tasks)
        assert (second.is_leader(), second.epoch) == (True, 2)
        assert not first.is_leader()
        await first.release()
        place = Where("coordination.k8s.io/v1", "leases", "hydracore-system", "frame-test")
        lease = await kube.get_raw(place)
        assert lease["spec"]["holderIdentity"] == second.identity
        await second.release()
        assert await first.acquire() == 3
    finally:
        for task in tasks:
            task.cancel()
        lease = "/apis/coordination.k8s.io/v1/namespaces/hydracore-system/leases/frame-test"
        await admin_api.json("DELETE", lease)
        await kube.close()
