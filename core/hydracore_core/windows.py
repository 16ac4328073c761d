"""Maintenance windows: hours of the UTC day in which updates may start.

Pure: the time is an argument. The rules are those of ``UpdatePolicy.spec.maintenanceWindow``: the
end is exclusive, a start after the end wraps midnight, equal hours mean all day, and no window
means always. Hours are UTC, so daylight saving does not move them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hydracore_crds.update_policy import MaintenanceWindow

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WindowState:
    """A window at one moment.

    Attributes:
        open: Whether updates may start now.
        next_change: When ``open`` changes next (aware UTC); None if it never does.
    """

    open: bool
    next_change: datetime | None


ALWAYS_OPEN = WindowState(open=True, next_change=None)


def window_state(window: MaintenanceWindow | None, now: datetime) -> WindowState:
    """Say whether the window is open at ``now`` and when that changes.

    Args:
        window: The window; None means always open.
        now: An aware time in any zone.

    Raises:
        ValueError: ``now`` is naive, so nobody can tell which hour it is in UTC.
    """
    if now.tzinfo is None:
        raise ValueError("window_state needs an aware time: give it a time zone")
    if window is None or window.start_hour_utc == window.end_hour_utc:
        return ALWAYS_OPEN
    utc = now.astimezone(UTC)
    start, end = window.start_hour_utc, window.end_hour_utc
    started, not_ended = utc.hour >= start, utc.hour < end
    is_open = (started and not_ended) if start < end else (started or not_ended)
    return WindowState(open=is_open, next_change=_next_hour(utc, end if is_open else start))


def next_opens_at(window: MaintenanceWindow | None, now: datetime) -> datetime | None:
    """Return when the window opens next (aware UTC), or None while it is open.

    Raises:
        ValueError: ``now`` is naive.
    """
    state = window_state(window, now)
    return None if state.open else state.next_change


def _next_hour(utc: datetime, hour: int) -> datetime:
    """Return the first full hour of this number strictly after ``utc``."""
    found = utc.replace(hour=hour, minute=0, second=0, microsecond=0)
    return found if found > utc else found + _DAY
