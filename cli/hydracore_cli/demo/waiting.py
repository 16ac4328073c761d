"""Waiting for something that other processes do, with a bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hydracore_cli.errors import CliError

T = TypeVar("T")
POLL_SECONDS = 0.3


async def until(
    what: str,
    look: Callable[[], Awaitable[T | None]],
    seconds: float,
    seen: Callable[[], str] = lambda: "",
) -> T:
    """Look again and again until there is an answer, and return it.

    Args:
        what: What is waited for, for the message.
        look: Returns None while there is no answer.
        seconds: How long to wait at most.
        seen: What was seen last, for the message.

    Raises:
        CliError: the time is over.
    """
    deadline = time.monotonic() + seconds
    while (found := await look()) is None:
        if time.monotonic() > deadline:
            last = seen()
            raise CliError(
                f"waited {seconds:.0f} s for {what}" + (f"; last: {last}" if last else "")
            )
        await asyncio.sleep(POLL_SECONDS)
    return found
