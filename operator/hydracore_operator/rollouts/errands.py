"""Work for a tenant that no pass may wait for: asking history, creating thousands of targets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias

import structlog

from hydracore_operator.clock import Clock
from hydracore_operator.context import NotLeader

Errand: TypeAlias = Callable[[], Awaitable[bool]]
"""Returns whether it is done; if not, it is tried again after a pause, if it is still wanted."""

log = structlog.get_logger(__name__)


class Errands:
    """At most one errand at a time for each key; the end of each wakes the tenant."""

    def __init__(self, clock: Clock, *, pause: float, ended: Callable[[], None]) -> None:
        """Take the clock, the pause after a failure in seconds, and whom to wake."""
        self._clock = clock
        self._pause = pause
        self._ended = ended
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def ensure(self, key: str, errand: Errand) -> None:
        """Go on an errand unless one of this key is under way, or pauses after a failure."""
        if key in self._tasks:
            return
        task = asyncio.create_task(self._go(key, errand), name=f"errand-{key}")
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._done(key))

    def keep(self, prefix: str, wanted: Collection[str]) -> None:
        """End the errands whose keys begin with ``prefix``, but for the wanted ones."""
        for key, task in self._tasks.items():
            if key.startswith(prefix) and key not in wanted:
                task.cancel()

    async def close(self) -> None:
        """End all errands and wait until they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go(self, key: str, errand: Errand) -> None:
        try:
            done = await errand()
        except NotLeader:
            done = True  # whoever leads next asks for it again
        except Exception as error:  # noqa: BLE001 - logged; the next plan asks for it again
            log.warning("errand_failed", errand=key, error=str(error), kind=type(error).__name__)
            done = False
        if not done:
            self._ended()
            await self._clock.sleep(self._pause)

    def _done(self, key: str) -> None:
        self._tasks.pop(key, None)
        self._ended()
