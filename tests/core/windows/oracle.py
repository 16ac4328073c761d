"""Windows minute by minute: what the core finds by searching, this finds by looking.

Nothing of the core and nothing of its cron library is used. The walls' clocks are read off for
every minute that passes, so that what they skip and repeat is seen and need not be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hydracore_crds import UpdatePolicy
from hydracore_crds.policy_window import PolicyWindow

MINUTE = timedelta(minutes=1)
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield every minute of a stretch of time."""
    at = start
    while at < end:
        yield at
        at += MINUTE


def may_start(policy: UpdatePolicy | None, start: datetime, end: datetime) -> list[bool]:
    """Say for every minute of a stretch of time whether updates may start, without any jitter."""
    stretch = list(minutes(start, end))
    if policy is None:
        return [True] * len(stretch)
    spec = policy.spec
    allows = [opened(w, start, end) for w in spec.windows if w.kind == "allow"]
    denies = [opened(w, start, end) for w in spec.windows if w.kind == "deny"]
    hours = spec.maintenance_window
    if hours is not None:
        allows.append([in_hours(hours.start_hour_utc, hours.end_hour_utc, m) for m in stretch])
    return [
        (not allows or any(each[n] for each in allows)) and not any(each[n] for each in denies)
        for n in range(len(stretch))
    ]


def in_hours(start: int, end: int, at: datetime) -> bool:
    """Whether the hour is allowed, written out hour by hour."""
    if start == end:
        return True
    hours, hour = set(), start
    while hour != end:
        hours.add(hour)
        hour = (hour + 1) % 24
    return at.astimezone(UTC).hour in hours


def opened(window: PolicyWindow, start: datetime, end: datetime) -> list[bool]:
    """Say for every minute of a stretch of time whether a window is open."""
    lasts = minutes_of(window.duration)
    left, found = 0, []
    for at, opens in openings(window, start - lasts * MINUTE, end):
        left = lasts if opens else max(left - 1, 0)
        if at >= start:
            found.append(left > 0)
    return found


def minutes_of(duration: str) -> int:
    hours, _, rest = duration.rpartition("h")
    return int(hours or 0) * 60 + int(rest.removesuffix("m") or 0)


def openings(
    window: PolicyWindow, start: datetime, end: datetime
) -> Iterator[tuple[datetime, bool]]:
    """Say for every minute whether the window opens when it begins."""
    zone, schedule = ZoneInfo(window.time_zone), Schedule(window.schedule)
    before = (start - MINUTE).astimezone(zone).replace(tzinfo=None)
    for at in minutes(start, end):
        local = at.astimezone(zone)
        now = local.replace(tzinfo=None)
        if schedule.every_hour or now == before + MINUTE:
            # What the clock shows for the second time was there before.
            yield at, schedule.shows(now) and (schedule.every_hour or not local.fold)
        else:
            # It was put back, or it skips some minutes: all of these come true at once.
            yield at, any(schedule.shows(wall) for wall in minutes(before + MINUTE, now + MINUTE))
        before = now


class Schedule:
    """Five fields of cron."""

    def __init__(self, text: str) -> None:
        minute, hour, day, month, weekday = text.upper().split()
        for number, name in enumerate(DAYS):
            weekday = weekday.replace(name, str(number))
        self.every_hour = hour == "*"
        self._minutes = values(minute, range(60))
        self._hours = values(hour, range(24))
        self._days = values(day, range(1, 32))
        self._months = values(month, range(1, 13))
        self._weekdays = {number % 7 for number in values(weekday, range(8))}
        self._both = day.startswith("*") or weekday.startswith("*")

    def shows(self, wall: datetime) -> bool:
        """Whether it names this time on the wall."""
        if wall.minute not in self._minutes or wall.hour not in self._hours:
            return False
        days = (wall.day in self._days, (wall.weekday() + 1) % 7 in self._weekdays)
        return wall.month in self._months and (all(days) if self._both else any(days))


def values(field: str, every: range) -> set[int]:
    return {number for term in field.split(",") for number in _values(term, every)}


def _values(term: str, every: range) -> Iterable[int]:
    term, _, step = term.partition("/")
    if term == "*":
        low, high = every[0], every[-1]
    elif "-" in term:
        low, high = map(int, term.split("-"))
    else:
        low = int(term)
        high = every[-1] if step else low
    return range(low, high + 1, int(step or 1))
