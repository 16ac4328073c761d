"""Time: the one place that reads the wall clock, and its form on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time, aware UTC."""
    return datetime.now(UTC)


def to_wire(moment: datetime) -> str:
    """Return ISO-8601 UTC with milliseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_unix(seconds: float) -> datetime:
    """Return the aware UTC time of unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)
