"""Doing something unless an event makes it pointless."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what the work returns; None if the event was set before it had ended.

    When this returns or raises, the work has ended: it is cancelled where it is not needed.
    """
    working = asyncio.ensure_future(work)
    set_ = asyncio.ensure_future(event.wait())
    both = (working, set_)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
