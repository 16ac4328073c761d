"""The stretches of time in which updates may start, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from hydracore_core.windows.calendar import WindowState

LOOKED_AT = 31
"""So many openings are looked at: a month of a window every night."""

WindowAt = Callable[[datetime], WindowState]


@dataclass(frozen=True, slots=True)
class Opening:
    """One stretch of time in which updates may start.

    Attributes:
        begins: Its first instant.
        ends: The first instant after it; None if no end is known.
    """

    begins: datetime
    ends: datetime | None

    def has(self, needed: timedelta) -> bool:
        """Whether so much time passes in it."""
        return self.ends is None or needed <= self.ends - self.begins


def openings(since: datetime, window: WindowAt) -> Iterator[Opening]:
    """Yield what is left of the opening at ``since``, and those that follow, as far as is known."""
    time: datetime | None = since
    while time is not None:
        state = window(time)
        if state.open:
            yield Opening(time, state.next_change)
        time = state.next_change


def first_with(needed: timedelta, since: datetime, window: WindowAt) -> datetime | None:
    """Return from when on something may begin that is to end before the window closes.

    Args:
        needed: How long it takes.
        since: The earliest time, aware UTC.
        window: The window, at any time.

    Returns:
        The time; None if none of the next :data:`LOOKED_AT` openings lasts so long.
    """
    for opening in islice(openings(since, window), LOOKED_AT):
        if opening.has(needed):
            return opening.begins
    return None
