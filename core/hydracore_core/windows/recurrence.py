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
    """

    opened: datetime | None = None
    opens: datetime | None = None
    known: bool = False

    def holds(self, at: datetime) -> bool:
        """Whether no opening lies between what is kept and ``at``."""
        if not self.known or (self.opened is not None and at < self.opened):
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
        """Return the newest opening at or before ``at``, and the first one after it."""
        found = self._between
        if not found.holds(at):
            # What was the next opening is the newest one now, unless more than one has passed.
            opens = self._next(at)
            if not (found.known and found.opens is not None and found.opens <= at) or (
                self._next(found.opens) != opens
            ):
                found.opened = self._newest(at)
            else:
                found.opened = found.opens
            found.opens, found.known = opens, True
        return found

    def _next(self, at: datetime) -> datetime | None:
        """Return the first opening after ``at``."""
        for found in CronSim(self.schedule.cron, at.astimezone(self.zone)):
            # Where an hour comes twice, cronsim begins by the wall clock and so may look back.
            if (opening := found.astimezone(UTC)) > at:
                return opening
        return None

    def _newest(self, at: datetime) -> datetime | None:
        """Return the newest opening at or before ``at``."""
        for found in CronSim(self.schedule.cron, self._after(at), reverse=True):
            if (opening := found.astimezone(UTC)) <= at:
                return opening
        return None

    def _after(self, at: datetime) -> datetime:
        """Return a time on the wall that is later than that of all openings up to ``at``."""
        local = (at + _TICK).astimezone(self.zone)
        if not local.fold or self.schedule.hourly:
            return local
        # In the repeated hour the wall has already shown later times than it shows now.
        first = local.replace(fold=0)
        repeated = (first.utcoffset() or timedelta()) - (local.utcoffset() or timedelta())
        return first + repeated
