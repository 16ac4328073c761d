"""Small pieces of text for people."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

_LISTED = 3


def at(moment: datetime) -> str:
    """Write a time as people read it: ``2026-03-01 22:00Z``, with seconds where there are any."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%d %H:%M:%SZ" if utc.second else "%Y-%m-%d %H:%MZ")


def count(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 target``, ``3 targets``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Collection[str]) -> str:
    """Name the first few, in order, and say how many more there are."""
    first = sorted(names)[:_LISTED]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")
