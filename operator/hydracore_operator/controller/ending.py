"""kopf's tasks, cancelled again where a cancellation was lost on the way.

A watch of kopf that begins anew awaits a task that it has just cancelled, and takes every
cancellation which arrives meanwhile for that task's. Where the watch itself was meant, it goes on
as if nothing had been said, and the task that cancelled it waits for good. An API server that
restarts ends all watches at once, so a stop soon afterwards meets one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from typing import Any

from hydracore_operator.controller.generators import is_of_package

AGAIN_SECONDS = 1.0
"""Whoever has not ended so long after it was cancelled is cancelled again."""

_Task = asyncio.Task[Any]


async def end_tasks(
    roots: AbstractSet[_Task], *, package: str, seconds: float, again_seconds: float = AGAIN_SECONDS
) -> set[_Task]:
    """Cancel the root tasks of a library and wait until they have ended.

    A root is cancelled once: it cancels and awaits what it began, and a second cancellation would
    make it leave that behind. Its helpers are cancelled again, those alone that were cancelled.

    Args:
        roots: The tasks that stand for all others.
        package: Where the code of helpers is from.
        seconds: How long to wait in all.
        again_seconds: Between one cancellation of a helper and the next.

    Returns:
        The roots that have not ended.
    """
    for root in roots:
        root.cancel()
    loop = asyncio.get_running_loop()
    latest = loop.time() + seconds
    late = set(roots)
    while late and (rest := latest - loop.time()) > 0:
        _, late = await asyncio.wait(late, timeout=min(again_seconds, rest))
        if late:
            for helper in _cancelled_of(package) - roots:
                helper.cancel()
    return late


def _cancelled_of(package: str) -> set[_Task]:
    """Return the loop's tasks of the package that were cancelled and have not ended."""
    return {
        task
        for task in asyncio.all_tasks()
        if task.cancelling() and is_of_package(getattr(task.get_coro(), "cr_frame", None), package)
    }
