"""A crash at the n-th outgoing call, before it or after it, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

Moment = Literal["before", "after"]


class Crash(BaseException):
    """The process dies here."""


class Trap:
    """Counts outgoing calls of several clients, and crashes at one of them."""

    def __init__(self, number: int, moment: Moment) -> None:
        self.number = number
        self.moment = moment
        self.calls = 0

    def around(self, client: object) -> Any:
        """Return the client with every async method trapped, at any depth of attributes."""
        return _Trapped(self, client)


class _Trapped:
    def __init__(self, trap: Trap, inner: object) -> None:
        self._trap, self._inner = trap, inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if isinstance(found, str | dict):
            return found
        return _call(self._trap, found) if callable(found) else _Trapped(self._trap, found)


def _call(trap: Trap, method: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: object, **kwargs: object) -> Any:
        trap.calls += 1
        mine = trap.calls == trap.number
        if mine and trap.moment == "before":
            raise Crash
        answer = await method(*args, **kwargs)
        if mine:
            raise Crash
        return answer

    return call
