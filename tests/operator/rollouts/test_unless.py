"""Work that an event makes pointless."""

from __future__ import annotations

import asyncio

import pytest

from hydracore_operator.rollouts.unless import unless


class Work:
    """Something that ends when told to; ``ended`` says how it did."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.ended: str | None = None

    async def run(self) -> str:
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return "found"


async def test_work_that_ends_first_is_returned() -> None:
    work, event = Work(), asyncio.Event()
    work.go_on.set()
    assert await unless(event, work.run()) == "found"


async def test_the_event_ends_the_work_before_anything_goes_on() -> None:
    work, event = Work(), asyncio.Event()
    waiting = asyncio.create_task(unless(event, work.run()))
    await asyncio.sleep(0)
    event.set()
    assert await asyncio.wait_for(waiting, 5) is None
    assert work.ended == "cancelled"


@pytest.mark.asyncio(loop_scope="function")  # a loop without the tasks of anyone else
async def test_whoever_is_cancelled_takes_the_work_along() -> None:
    work, others = Work(), asyncio.all_tasks()
    waiting = asyncio.create_task(unless(asyncio.Event(), work.run()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 5)
    assert work.ended in {"cancelled", None}
    assert asyncio.all_tasks() <= others


async def test_an_error_of_the_work_comes_through() -> None:
    async def broken() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless(asyncio.Event(), broken())
