"""A generator inside a context manager, as kopf's watches are, whose consumer is cancelled."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hydracore_operator.controller.generators import Generators


class Watch:
    """What it did is in ``said``."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @asynccontextmanager
    async def block(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)
            self.said.append("left the block")

    async def inner(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            self.said.append("closed the inner")

    async def outer(self) -> AsyncIterator[int]:
        async with self.block():
            async for item in self.inner():
                yield item
        self.said.append("went on")


async def consume(watch: Watch, reached: asyncio.Event) -> None:
    stream = watch.outer()
    async for _ in stream:
        reached.set()
        await asyncio.Event().wait()


async def _cancelled_between_items(watch: Watch) -> asyncio.Task[None]:
    """Return the consumer; it holds on to the generator by its traceback, as kopf's tasks do."""
    reached = asyncio.Event()
    task = asyncio.create_task(consume(watch, reached))
    await reached.wait()
    task.cancel()
    await asyncio.wait([task])
    return task


def _run(*, closing: bool) -> tuple[list[str], list[str]]:
    """Run a loop to its end: what the watch said, and what the loop complained of."""
    watch, complaints = Watch(), []

    async def main() -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        with Generators(__name__).noticed() as generators:
            task = await _cancelled_between_items(watch)
            if closing:
                await generators.close()
                assert generators.open() == []
        return task

    with asyncio.Runner() as runner:
        kept = runner.run(main())
    assert kept.cancelled()
    return watch.said, complaints


def test_open_generators_are_closed_from_the_outside_in() -> None:
    assert _run(closing=True) == (["left the block", "closed the inner"], [])


def test_a_loop_that_closes_them_all_at_once_complains() -> None:
    """Why this module is there: once this fails it is not needed any more."""
    _, complaints = _run(closing=False)
    assert any("closing of asynchronous generator" in complaint for complaint in complaints)


async def test_generators_of_other_packages_are_left_alone() -> None:
    watch = Watch()
    with Generators(f"{__name__}.below").noticed() as generators:
        task = await _cancelled_between_items(watch)
        await generators.close()
    assert task.cancelled()
    assert watch.said == []


async def test_generators_of_other_tasks_are_left_alone() -> None:
    theirs, ours = Watch(), Watch()

    async def elsewhere(stop: asyncio.Event) -> None:
        with Generators(__name__).noticed():
            task = await _cancelled_between_items(theirs)
            await stop.wait()
            assert task.cancelled()

    stop = asyncio.Event()
    with Generators(__name__).noticed() as generators:
        task = await _cancelled_between_items(ours)
    other = asyncio.create_task(elsewhere(stop))
    await asyncio.sleep(0.05)
    await generators.close()
    assert (ours.said, theirs.said) == (["left the block", "closed the inner"], [])
    stop.set()
    await other
    assert task.cancelled()


async def test_the_hooks_are_as_they_were_afterwards() -> None:
    before = sys.get_asyncgen_hooks()
    with pytest.raises(KeyError), Generators("kopf").noticed():
        raise KeyError
    assert sys.get_asyncgen_hooks() == before
