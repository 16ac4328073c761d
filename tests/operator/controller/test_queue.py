"""The queue: one key once, one at a time, alarms in order, backoff, a clean end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from hydracore_kube import Conflict, Unavailable
from hydracore_operator.controller.queue import MAX_BACKOFF_SECONDS, WorkQueue
from hydracore_operator.controller.reconciler import RetryLater
from tests.operator.fakes import FakeClock, settle

Answer = timedelta | datetime | None


class Recorder:
    """A reconciler that remembers what it was called with and answers by script."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.calls: list[tuple[float, str]] = []
        self.answers: list[Answer | Exception] = []
        self.hold: asyncio.Event | None = None
        self.running: list[str] = []
        self.most = 0

    async def reconcile(self, key: str) -> Answer:
        self.calls.append((self.clock.elapsed, key))
        assert key not in self.running
        self.running.append(key)
        self.most = max(self.most, len(self.running))
        try:
            if self.hold is not None:
                await self.hold.wait()
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.running.remove(key)

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.calls]


@asynccontextmanager
async def _running(
    queue: WorkQueue,
    reconcile: Callable[[str], Awaitable[Answer]],
    *,
    workers: int = 4,
    gate: Callable[[], bool] = lambda: True,
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(queue.run(reconcile, workers=workers, gate=gate))
    await settle()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _make() -> tuple[FakeClock, WorkQueue, Recorder]:
    clock = FakeClock()
    return clock, WorkQueue("test", clock=clock, jitter=lambda: 1.0), Recorder(clock)


async def test_a_key_that_waits_is_one_key() -> None:
    _, queue, recorder = _make()
    for _ in range(5):
        queue.add("a")
    queue.add("b")
    async with _running(queue, recorder.reconcile):
        pass
    assert [key for _, key in recorder.calls] == ["a", "b"]


async def test_one_at_a_time_per_key_and_again_if_it_was_added_meanwhile() -> None:
    _, queue, recorder = _make()
    recorder.hold = asyncio.Event()
    async with _running(queue, recorder.reconcile):
        queue.add("a")
        await settle()
        for _ in range(3):
            queue.add("a")
        queue.add("b")
        await settle()
        assert recorder.running == ["a", "b"]
        recorder.hold.set()
        await settle()
        assert [key for _, key in recorder.calls] == ["a", "b", "a"]


async def test_workers_bound_what_runs_at_once() -> None:
    _, queue, recorder = _make()
    recorder.hold = asyncio.Event()
    async with _running(queue, recorder.reconcile, workers=3):
        for n in range(10):
            queue.add(f"k{n}")
        await settle()
        assert queue.metrics()["running"] == 3
        recorder.hold.set()
        await settle()
    assert (recorder.most, len(recorder.calls)) == (3, 10)


async def test_alarms_ring_in_order_and_the_earliest_counts() -> None:
    clock, queue, recorder = _make()
    start = clock.now()
    async with _running(queue, recorder.reconcile):
        queue.add_at("late", start + timedelta(seconds=50))
        queue.add_at("early", start + timedelta(seconds=10))
        queue.add_at("late", start + timedelta(seconds=30))
        queue.add_at("late", start + timedelta(seconds=40))
        await clock.advance(100)
    assert recorder.calls == [(10.0, "early"), (30.0, "late")]


async def test_an_alarm_in_the_past_rings_at_once() -> None:
    clock, queue, recorder = _make()
    async with _running(queue, recorder.reconcile):
        queue.add_at("a", clock.now() - timedelta(hours=1))
        await settle()
        assert recorder.calls == [(0.0, "a")]


async def test_what_a_reconcile_returns_is_when_it_comes_again() -> None:
    clock, queue, recorder = _make()
    recorder.answers = [timedelta(seconds=5), clock.now() + timedelta(seconds=20), None]
    async with _running(queue, recorder.reconcile):
        queue.add("a")
        await clock.advance(60)
    assert recorder.times == [0.0, 5.0, 20.0]


async def test_errors_are_tried_again_with_growing_backoff_that_success_resets() -> None:
    clock, queue, recorder = _make()
    recorder.answers = [RuntimeError("x"), Unavailable("y"), Conflict("z"), None, RuntimeError("x")]
    async with _running(queue, recorder.reconcile):
        queue.add("a")
        await clock.advance(10)
        assert recorder.times == [0.0, 0.25, 0.75, 1.75]
        queue.add("a")
        await clock.advance(10)
    assert recorder.times[4:] == [11.75 - 1.75, 10.25]
    assert queue.metrics()["failed"] == 4
    assert queue.metrics()["failing"] == 0


async def test_backoff_is_bounded_and_jittered() -> None:
    clock = FakeClock()
    queue = WorkQueue("test", clock=clock, jitter=lambda: 0.0)
    recorder = Recorder(clock)
    recorder.answers = [RuntimeError(str(n)) for n in range(40)]
    async with _running(queue, recorder.reconcile):
        queue.add("a")
        await clock.advance(900)
    gaps = [b - a for a, b in zip(recorder.times, recorder.times[1:], strict=False)]
    assert gaps[0] == 0.125
    assert max(gaps) == MAX_BACKOFF_SECONDS / 2


async def test_retry_later_is_no_failure_and_keeps_its_time() -> None:
    clock, queue, recorder = _make()
    recorder.answers = [RetryLater("waiting for the class", timedelta(seconds=7)), None]
    async with _running(queue, recorder.reconcile):
        queue.add("a")
        await clock.advance(10)
    assert recorder.times == [0.0, 7.0]
    assert queue.metrics()["failed"] == 0


async def test_a_reconcile_that_hangs_gives_its_key_back() -> None:
    clock = FakeClock()
    queue = WorkQueue("test", clock=clock, reconcile_seconds=0.05)
    failed = asyncio.Event()

    async def hang(_key: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            failed.set()

    async with _running(queue, hang):
        queue.add("a")
        async with asyncio.timeout(5):
            await failed.wait()
        await settle()
        assert queue.metrics()["failed"] == 1


async def test_a_closed_gate_lets_nothing_through() -> None:
    _, queue, recorder = _make()
    async with _running(queue, recorder.reconcile, gate=lambda: False):
        queue.add("a")
        await settle()
    assert recorder.calls == []


async def test_stop_lets_what_runs_finish_and_starts_nothing() -> None:
    clock, queue, recorder = _make()
    recorder.hold = asyncio.Event()
    async with _running(queue, recorder.reconcile, workers=1) as task:
        queue.add("a")
        queue.add("b")
        await settle()
        queue.stop()
        await settle()
        assert not task.done()
        recorder.hold.set()
        await clock.advance(1)
        async with asyncio.timeout(5):
            await task
    assert [key for _, key in recorder.calls] == ["a"]


async def test_stop_does_not_wait_for_ever() -> None:
    clock, queue, recorder = _make()
    recorder.hold = asyncio.Event()
    async with _running(queue, recorder.reconcile) as task:
        queue.add("a")
        await settle()
        queue.stop()
        await clock.advance(10)
        async with asyncio.timeout(5):
            await task
    assert recorder.running == []


async def test_many_changed_alarms_do_not_grow_the_heap() -> None:
    clock, queue, _ = _make()
    for n in range(10_000):
        queue.add_at("a", clock.now() + timedelta(seconds=20_000 - n))
    assert queue.metrics()["alarms"] == 1
    assert len(queue._heap) < 200
