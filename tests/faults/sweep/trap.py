"""Counts outgoing calls, writes each into a journal, and kills the process at one of them."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")
Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")


@dataclass(frozen=True, slots=True)
class Kill:
    """At which outgoing call the process dies.

    Attributes:
        number: The call, from 1.
        moment: Right before it goes out, or after its effect, before the answer is looked at.
        what: Count only calls of this kind.
    """

    number: int
    moment: Moment
    what: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One line of a journal: the call's number, what it was, and whether the process died of it."""

    number: int
    what: str
    killed: Moment | None


class Trap:
    """Stands in the way of every outgoing call of one process."""

    def __init__(self, journal: Path, kill: Kill | None) -> None:
        self._kill = kill
        self._count = self._counted = 0
        self._lock = threading.Lock()
        self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def around(self, what: str, send: Callable[[], Awaitable[T]]) -> T:
        """Let one call through, unless it is the one to die at."""
        mine = self.enter(what)
        try:
            return await send()
        finally:
            self.leave(mine=mine)

    def around_sync(self, what: str, act: Callable[[], T]) -> T:
        """As :meth:`around`, for calls that block."""
        mine = self.enter(what)
        try:
            return act()
        finally:
            self.leave(mine=mine)

    def enter(self, what: str) -> bool:
        """Note a call that is about to go out; return whether the process dies after it."""
        with self._lock:
            self._count += 1
            mine = self._is_mine(what)
            killed = self._kill.moment if mine and self._kill is not None else None
            line = json.dumps({"number": self._count, "what": what, "killed": killed})
            os.write(self._journal, f"{line}\n".encode())
        if killed == "before":
            die()
        return mine

    def _is_mine(self, what: str) -> bool:
        if self._kill is None or self._kill.what not in (None, what):
            return False
        self._counted += 1
        return self._counted == self._kill.number

    @staticmethod
    def leave(*, mine: bool) -> None:
        """Say that a call has had its effect."""
        if mine:
            die()


def die() -> None:
    """End this process as a crash would; nothing of it runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def read_journal(path: Path) -> list[Call]:
    """Return the calls that a process made, in order."""
    if not path.exists():
        return []
    return [Call(**json.loads(line)) for line in path.read_text().splitlines()]
