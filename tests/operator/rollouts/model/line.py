"""How one operator's calls get out, and what can happen to them on their way.

A call leaves the process, travels, has its effect, and its answer travels back. The process may
die or be frozen in between, and either way may lose what travels. What has left takes effect
whatever becomes of its sender.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Loss = Literal["unsent", "unanswered"]
"""What a call loses: its way there, so that it has no effect, or only its answer."""

LATENCY = 0.01
"""Seconds that a call travels in each direction."""

CALLER: ContextVar[str] = ContextVar("caller", default="people")
"""Who makes the call that has its effect now."""


@dataclass(frozen=True)
class Death:
    """At which call from now on an operator dies, and whether that call still has its effect."""

    calls: int
    sent: bool


@dataclass(frozen=True)
class Stop:
    """With which call in its hand an operator stops, and what stops it."""

    calls: int
    come: Callable[[], None]


@dataclass
class Line:
    """One operator's way out.

    Attributes:
        caller: The operator's name.
        died: Called when the operator dies in mid-call.
        api: What happens to its next calls to the API server; ``agents``: to agents.
        calls: How many calls it has made.
    """

    caller: str
    died: Callable[[], None]
    api: deque[Loss] = field(default_factory=deque)
    agents: deque[Loss] = field(default_factory=deque)
    calls: int = 0
    _death: Death | None = None
    _stop: Stop | None = None
    _dead: bool = False
    _thawed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._thawed.set()

    @property
    def frozen(self) -> bool:
        return not self._thawed.is_set()

    def freeze(self) -> None:
        """Keep the calls that have not left, and the answers to all others, until it thaws."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def die_at(self, death: Death) -> None:
        self._death = Death(self.calls + death.calls, death.sent)

    def stop_at(self, stop: Stop) -> None:
        self._stop = Stop(self.calls + stop.calls, stop.come)

    def cut(self) -> None:
        """Let nothing out any more: the process is dead."""
        self._dead = True

    async def wait_thawed(self) -> None:
        """Go on only while the process runs."""
        while not self._thawed.is_set():
            await self._thawed.wait()
        if self._dead:
            raise asyncio.CancelledError

    async def call(
        self,
        act: Callable[[], Awaitable[T]],
        losses: deque[Loss],
        errors: dict[Loss, Callable[[], Exception]],
        *,
        lasting: bool,
    ) -> T:
        """Make a call.

        Args:
            act: Its effect.
            losses: What is lost of the next calls of this kind.
            errors: What the caller is told of each loss.
            lasting: Whether it changes something, so that it goes on without its caller.
        """
        await self.wait_thawed()
        self.calls += 1
        if self._stop is not None and self._stop.calls <= self.calls:
            (stop, self._stop) = (self._stop, None)
            stop.come()
            await self.wait_thawed()
        death = self._death if self._death and self._death.calls <= self.calls else None
        loss = losses.popleft() if losses else None
        if death is not None and not death.sent:
            await self._die()
        if loss != "unsent":
            travelling = asyncio.ensure_future(self._travel(act))
            travelling.add_done_callback(_seen)
            if death is not None:
                await self._die()
            result = await (asyncio.shield(travelling) if lasting else travelling)
        await asyncio.sleep(LATENCY)
        await self.wait_thawed()
        if loss is not None:
            error = errors[loss]()
            raise error
        return result

    async def _travel(self, act: Callable[[], Awaitable[T]]) -> T:
        CALLER.set(self.caller)
        await asyncio.sleep(LATENCY)
        return await act()

    async def _die(self) -> Any:
        self._death = None
        self.cut()
        self.died()
        await asyncio.Event().wait()


def _seen(travelled: asyncio.Future[Any]) -> None:
    """Nobody may be there any more to take the answer, or the error."""
    if not travelled.cancelled():
        travelled.exception()


class ProcessClock:
    """The time as one process sees it; it stands still while the process is frozen."""

    def __init__(self, start: datetime, line: Line) -> None:
        self._start = start
        self._line = line
        self._seen = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        if not self._line.frozen:
            self._seen = asyncio.get_running_loop().time()
        return self._seen

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
        await self._line.wait_thawed()
