"""How times are written for people, here and in all packages of the core."""

from __future__ import annotations

from datetime import UTC, datetime


def at(moment: datetime) -> str:
    """Write a time as people read it: ``2026-03-01 22:00Z``, with seconds where there are any."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%d %H:%M:%SZ" if utc.second else "%Y-%m-%d %H:%MZ")
