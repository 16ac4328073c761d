"""Waiting for something with a deadline; what is waited for says how it stands when it is late."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

import pytest

T = TypeVar("T")


@overload
async def until(
    look: Callable[[], Awaitable[T | None]],
    what: str,
    seconds: float,
    *,
    every: float = ...,
    state: Callable[[], object] = ...,
) -> T: ...


@overload
async def until(
    look: Callable[[], T | None],
    what: str,
    seconds: float,
    *,
    every: float = ...,
    state: Callable[[], object] = ...,
) -> T: ...


async def until(
    look: Callable[[], Any],
    what: str,
    seconds: float,
    *,
    every: float = 0.05,
    state: Callable[[], object] = lambda: "",
) -> Any:
    """Return the first answer that is true; fail after ``seconds`` with what was seen last.

    Args:
        look: Looks once; may be a coroutine function.
        what: What is waited for, for the failure's text.
        seconds: How long it may take.
        every: Pause between two looks.
        state: What else the failure's text shall show.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        found = await answer if inspect.isawaitable(answer) else answer
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s for {what}; last: {found!r}; {state()}")
        await asyncio.sleep(every)


async def holds(
    look: Callable[[], Awaitable[bool]], what: str, seconds: float, *, every: float
) -> None:
    """Check that something is true all the time for ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert await look(), f"{what} did not hold"
        await asyncio.sleep(every)


async def happened(event: asyncio.Event, what: str, seconds: float = 30.0) -> None:
    """Wait for an event; fail when it is late."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        pytest.fail(f"waited {seconds:.0f} s for {what}")
