"""What the frame asks of a reconciler, and how a reconciler asks to be called again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable


class RetryLater(Exception):  # noqa: N818 - an instruction rather than a fault
    """Nothing is wrong with us, but the work cannot go on yet: come again after a while.

    Attributes:
        reason: Why, for the log.
        after: How long to wait.
    """

    def __init__(self, reason: str, after: timedelta) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class Reconciler(Protocol):
    """Brings one object from what it is to what it shall be, from any state, any number of times.

    The queue never runs two reconciles of one key at once. An error that leaves ``reconcile`` is
    logged and tried again with backoff.
    """

    async def reconcile(self, key: str) -> timedelta | datetime | None:
        """Work on one key; return when to come again by itself, if ever."""
        ...


@runtime_checkable
class Closable(Protocol):
    """A reconciler with tasks of its own."""

    async def close(self) -> None:
        """End them and wait until they have ended."""
        ...


class Loop(Protocol):
    """Work that goes on as long as this process leads."""

    async def run(self) -> None:
        """Go on until cancelled."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A loop that can say what it achieves."""

    def metrics(self) -> dict[str, Any]:
        """Return figures for people and programs; JSON."""
        ...
