"""The event loop in virtual time: what the model of rollouts takes for granted of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from tests.support.virtual import StalledError, VirtualLoop

HOUR = 3600.0


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    if not made.is_closed():
        made.shut()


def run(loop: VirtualLoop, work: Coroutine[Any, Any, object]) -> None:
    """Run in virtual time; real time is but a bound, for a loop that would really sleep."""
    began = time.monotonic()
    loop.run_until_complete(work)
    assert time.monotonic() - began < 5


def test_time_begins_at_zero_and_hours_pass_at_once(loop: VirtualLoop) -> None:
    assert loop.time() == 0
    run(loop, asyncio.sleep(1000 * HOUR))
    assert loop.time() == 1000 * HOUR


def test_work_takes_no_time(loop: VirtualLoop) -> None:
    async def work() -> None:
        for _ in range(1000):
            await asyncio.sleep(0)

    run(loop, work())
    assert loop.time() == 0


def test_sleepers_wake_by_their_times_whoever_lay_down_first(loop: VirtualLoop) -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, loop.time()))

    async def all_of_them() -> None:
        await asyncio.gather(sleeper("late", 30), sleeper("early", 10), sleeper("middle", 20))

    run(loop, all_of_them())
    assert woken == [("early", 10), ("middle", 20), ("late", 30)]


def test_nobody_sees_a_time_later_than_that_of_the_next_sleeper(loop: VirtualLoop) -> None:
    seen: list[float] = []

    async def ticks() -> None:
        for _ in range(5):
            await asyncio.sleep(10)
            seen.append(loop.time())

    async def both() -> None:
        await asyncio.gather(ticks(), asyncio.sleep(HOUR))

    run(loop, both())
    assert seen == [10, 20, 30, 40, 50]
    assert loop.time() == HOUR


def test_a_timeout_ends_what_takes_longer_at_its_time(loop: VirtualLoop) -> None:
    async def patient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(90):
                await asyncio.sleep(HOUR)
        assert loop.time() == 90

    run(loop, patient())


def test_the_time_of_a_cancelled_timer_does_not_pass(loop: VirtualLoop) -> None:
    fired: list[str] = []

    async def cancel_one() -> None:
        timer = loop.call_later(HOUR, fired.append, "cancelled")
        loop.call_later(60, fired.append, "kept")
        timer.cancel()
        await asyncio.sleep(120)

    run(loop, cancel_one())
    assert fired == ["kept"]
    assert loop.time() == 120


def test_a_jump_from_outside_brings_timers_due(loop: VirtualLoop) -> None:
    fired: list[float] = []
    loop.call_later(HOUR, lambda: fired.append(loop.time()))
    loop.jump(2 * HOUR)
    run(loop, asyncio.sleep(0))
    assert fired == [2 * HOUR]


def test_to_wait_for_what_cannot_come_is_an_error(loop: VirtualLoop) -> None:
    with pytest.raises(StalledError, match="everybody waits"):
        run(loop, asyncio.Event().wait())


def test_io_is_waited_for_in_vain_even_where_it_is_ready(loop: VirtualLoop) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"there")
        heard: list[bytes] = []
        loop.add_reader(reading, lambda: heard.append(os.read(reading, 5)))
        run(loop, asyncio.sleep(HOUR))
        with pytest.raises(StalledError):
            run(loop, asyncio.Event().wait())
        assert heard == []
        loop.remove_reader(reading)
    finally:
        os.close(reading)
        os.close(writing)


def test_shut_lets_whoever_is_left_clean_up_in_its_own_time(loop: VirtualLoop) -> None:
    cleaned: list[float] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(HOUR)
        finally:
            await asyncio.sleep(7)
            cleaned.append(loop.time())

    tasks = [loop.create_task(tidy()) for _ in range(2)]
    run(loop, asyncio.sleep(1))
    loop.shut()
    assert cleaned == [8, 8]
    assert all(task.cancelled() for task in tasks)
    assert loop.is_closed()


def test_shut_closes_a_loop_in_which_nothing_runs(loop: VirtualLoop) -> None:
    loop.shut()
    assert loop.is_closed()


def test_two_runs_of_the_same_take_their_turns_alike() -> None:
    def one_run() -> list[tuple[int, float]]:
        turns: list[tuple[int, float]] = []

        async def worker(number: int, loop: VirtualLoop) -> None:
            for step in range(4):
                await asyncio.sleep((number * 7 + step * 3) % 5)
                turns.append((number, loop.time()))

        async def workers(loop: VirtualLoop) -> None:
            await asyncio.gather(*(worker(number, loop) for number in range(6)))

        made = VirtualLoop()
        run(made, workers(made))
        made.shut()
        return turns

    first = one_run()
    assert len(first) == 24
    assert one_run() == first
