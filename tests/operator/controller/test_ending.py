"""kopf's watches lose a cancellation that comes while they begin anew; they are cancelled again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kopf._cogs.aiokits.aiotoggles import ToggleSet
from kopf._cogs.clients.watching import streaming_block
from kopf._cogs.structs.references import Resource

from hydracore_operator.controller.ending import end_tasks

# Each in a loop of its own: tasks of the package are sought in all of it.
pytestmark = pytest.mark.asyncio(loop_scope="function")

RESOURCE = Resource(group="hydracore.io", version="v1alpha1", plural="instances")


class Library:
    """A watch of kopf's and a root task that waits for it, as kopf's does."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.begun_again = asyncio.Event()
        self.watch = asyncio.create_task(self._watch())
        self.root = asyncio.create_task(self._root())

    async def _watch(self) -> None:
        paused = ToggleSet(any)
        async with streaming_block(resource=RESOURCE, namespace=None, operator_paused=paused):
            await self.gone.wait()
        self.begun_again.set()
        await asyncio.Event().wait()

    async def _root(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.watch.cancel()
            await asyncio.wait([self.watch])
            raise


async def _as_a_watch_ends() -> Library:
    library = Library()
    await asyncio.sleep(0.01)
    library.gone.set()
    return library


async def test_kopf_loses_a_cancellation_that_comes_as_a_watch_ends() -> None:
    """Why this module is there: once this fails it is not needed any more."""
    library = await _as_a_watch_ends()
    await asyncio.sleep(0)
    library.watch.cancel()
    async with asyncio.timeout(5):
        await library.begun_again.wait()
    assert library.watch.cancelling() == 1
    library.watch.cancel()
    library.root.cancel()
    await asyncio.wait([library.watch, library.root])


async def test_whenever_it_is_cancelled_a_watch_ends() -> None:
    lost = 0
    for ticks in range(6):
        library = await _as_a_watch_ends()
        for _ in range(ticks):
            await asyncio.sleep(0)
        late = await _end(library)
        assert (late, library.watch.done()) == (set(), True)
        lost += library.watch.cancelling() > 1
    assert lost


async def test_a_root_is_cancelled_once_and_told_of_when_it_is_late() -> None:
    async def wait_twice() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    root = asyncio.create_task(wait_twice())
    await asyncio.sleep(0)
    assert await end_tasks({root}, package=__name__, seconds=0.05, again_seconds=0.01) == {root}
    assert root.cancelling() == 1
    root.cancel()
    await asyncio.wait([root])


@pytest.mark.parametrize("package", [__name__, f"{__name__}.below"])
async def test_what_was_not_cancelled_or_is_of_others_is_left_alone(package: str) -> None:
    async def deaf(begun: asyncio.Event) -> None:
        while not begun.is_set():
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()

    root, cancelled, other = (asyncio.create_task(deaf(asyncio.Event())) for _ in range(3))
    await asyncio.sleep(0)
    cancelled.cancel()
    late = await end_tasks({root}, package=package, seconds=0.05, again_seconds=0.01)
    assert late == {root}
    assert cancelled.done() == (package == __name__)
    assert not other.cancelling()
    await _cancel(root, cancelled, other)


async def _end(library: Library) -> set[asyncio.Task[Any]]:
    return await end_tasks({library.root}, package=__name__, seconds=2, again_seconds=0.02)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    while left := {task for task in tasks if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.05)
