"""One window: when it opens, and how long it then covers.

Daylight saving: a time that the clocks skip opens at the first instant after the gap; a time that
comes twice opens once, the first time; a schedule whose hour is ``*`` opens in every hour that
passes. Durations are elapsed time. The first two are Debian cron's rules, which cronsim follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from cronsim import CronSim

from hydracore_core.windows.schedules import Schedule

NEVER = datetime.max.replace(tzinfo=UTC)
"""The end of what does not end."""

_TICK = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Times(Protocol):
    """When a window is open."""

    def covers_until(self, at: datetime) -> datetime | None:
        """Return an end (> ``at``) up to which it is open from ``at`` on; None if it is not open.

        It may open again before that end or right at it: ask again there.
        """

    def opens_after(self, at: datetime) -> datetime | None:
        """Return its first opening after ``at``; None if there is none."""


@dataclass(frozen=True, slots=True)
class Always:
    """A window that is always open."""

    def covers_until(self, at: datetime) -> datetime | None:
        """Return that it does not end."""
        del at
        return NEVER

    def opens_after(self, at: datetime) -> datetime | None:
        """Return None: it is open already."""
        del at
        return None


@dataclass(slots=True)
class _Between:
    """The openings around the moment that was asked about last: most questions are about the same.

    A search goes through the calendar day by day, and openings may be years apart.

    Attributes:
        since: From when on this holds; None before the first question.
        opened: The newest opening by then that may still count; None if there is none.
        opens: The next one, up to which it holds; None if there is none.
    """

    since: datetime | None = None
    opened: datetime | None = None
    opens: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether this is so at ``at`` too."""
        if self.since is None or at < self.since:
            return False
        return self.opens is None or at < self.opens


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A window that opens by a schedule.

    Attributes:
        schedule: When it opens.
        zone: Where the clock hangs that the schedule means.
        length: How long it is open, in elapsed time.
    """

    schedule: Schedule
    zone: tzinfo
    length: timedelta
    _between: _Between = field(default_factory=_Between, repr=False, compare=False)

    def covers_until(self, at: datetime) -> datetime | None:
        """See :class:`Times`. The newest opening decides: all stay open equally long."""
        opened = self._around(at).opened
        return opened + self.length if opened is not None and opened + self.length > at else None

    def opens_after(self, at: datetime) -> datetime | None:
        """See :class:`Times`."""
        return self._around(at).opens

    def _around(self, at: datetime) -> _Between:
        """Return the newest opening at or before ``at`` that may count, and the first after it."""
        found = self._between
        if not found.holds(at):
            opens, passed = self._next(at), found.opens
            # What was the next opening is the newest one now, unless more than one has passed.
            one = passed is not None and passed <= at and self._next(passed) == opens
            found.opened = passed if one else self._newest(at)
            found.since, found.opens = found.opened or at, opens
        return found

    def _next(self, at: datetime) -> datetime | None:
        """Return the first opening after ``at``."""
        for found in CronSim(self.schedule.cron, at.astimezone(self.zone)):
            # Where an hour comes twice, cronsim begins by the wall clock and so may look back.
            if (opening := found.astimezone(UTC)) > at:
                return opening
        return None

    def _newest(self, at: datetime) -> datetime | None:
        """Return the newest opening at or before ``at``, if it is open so long.

        Looked for forwards: backwards cronsim 2.8 never returns where the clocks skip a whole day
        (Samoa, 30 December 2011) and the schedule's hour is ``*``.
        """
        for back in (min(_HOUR, self.length), min(_DAY, self.length), self.length):
            newest = None
            for found in CronSim(self.schedule.cron, (at - back - _TICK).astimezone(self.zone)):
                if (opening := found.astimezone(UTC)) > at:
                    break
                newest = opening
            if newest is not None:
                return newest
        return None
