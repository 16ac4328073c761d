"""Long polls: questions about an order that are answered once there is something to say."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hydracore_agent.fields import FieldError
from hydracore_agent.http import Refusal
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.task import BEFORE_SWITCH
from hydracore_agent.orders.token import read_task_id

MOST_SECONDS = 20.0
"""Shorter than what proxies and firewalls leave a silent connection."""
MOST_WAITING = 16
"""Questions that wait at once; further ones are answered at once."""
TRIAL = "trial"
TRIAL_SECONDS = 0.1
"""How often the memory is looked at while the launcher, another process, has the order."""
_SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a question waits for.

    Attributes:
        task_id: The order whose end is waited for.
        seconds: How long at most.
    """

    task_id: str
    seconds: float


def read_wait(query: Mapping[str, str]) -> Wait | None:
    """Return what ``?until=<task id>&wait=<seconds>`` asks for; None where neither is given.

    Raises:
        Refusal: 400, one of them is missing or wrong.
    """
    until, seconds = query.get("until"), query.get("wait")
    if until is None and seconds is None:
        return None
    if until is None or seconds is None:
        raise _invalid("until and wait belong together")
    try:
        task_id = read_task_id(until)
    except FieldError:
        raise _invalid("until must be a UUID") from None
    if not _SECONDS.fullmatch(seconds) or not 0 < float(seconds) <= MOST_SECONDS:
        raise _invalid(f"wait must be a number of seconds above 0, at most {MOST_SECONDS:g}")
    return Wait(task_id, float(seconds))


class LongPolls:
    """Keeps questions waiting while this server works on the order that they are about.

    Attributes:
        waiting: How many there are now.
    """

    def __init__(
        self,
        memory: OrderMemory,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the orders, and time: ``clock`` monotonic in seconds."""
        self._memory = memory
        self._clock = clock
        self._sleep = sleep
        self._changed = asyncio.Event()
        self.waiting = 0
        self._closed = False

    def stir(self) -> None:
        """Have all questions look again: this process has changed an order."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Let go of all questions, also of later ones: this process is about to end."""
        self._closed = True
        self.stir()

    async def hold(self, wait: Wait) -> None:
        """Return once the order is not being worked on (any more), or after the time.

        That is when it is final, unknown or not the latest one, and when this process leaves for
        the switch: the next one can be asked for the end.
        """
        if self.waiting >= MOST_WAITING:
            return
        self.waiting += 1
        try:
            end = self._clock() + wait.seconds
            while (state := self._state(wait.task_id)) and (left := end - self._clock()) > 0:
                await self._change(min(left, TRIAL_SECONDS) if state == TRIAL else left)
        finally:
            self.waiting -= 1

    def _state(self, task_id: str) -> str | None:
        """Return the order's state while its end can come in this process's time, else None."""
        latest = self._memory.read().latest
        if self._closed or latest is None or latest.task_id != task_id:
            return None
        return latest.state if latest.state in {*BEFORE_SWITCH, TRIAL} else None

    async def _change(self, seconds: float) -> None:
        """Return when this process has changed an order, at the latest after so many seconds."""
        either = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self._sleep(seconds)),
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in either:
                future.cancel()


def _invalid(why: str) -> Refusal:
    return Refusal(400, "invalid_request", why)
