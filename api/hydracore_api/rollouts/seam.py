"""Where cluster and archive meet: lists that run through both without a gap or a duplicate.

What leaves the cluster is in the archive before, and stays there. So whoever looks into the watch
cache first, and then asks the archive for all but what was found there, sees everything once,
at whatever moment it moves. Both sides are in one order: newest first, of one second by their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from hydracore_crds import Resource

T = TypeVar("T")

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of the archive a page needs: ``limit`` rows after ``offset``."""

    offset: int
    limit: int


def archive_slice(live: int, limit: int, offset: int) -> Slice:
    """Return what of the archive may be on a page of a list that runs through both.

    Args:
        live: How many the cluster has.
        limit: Length of the page.
        offset: How many of the list come before it.
    """
    start = max(0, offset - live)
    return Slice(start, offset + limit - start)


def page(
    live: Sequence[T],
    archived: Sequence[T],
    limit: int,
    offset: int,
    age: Callable[[T], tuple[datetime, str]],
) -> list[T]:
    """Return a page, newest first.

    Of the archive's rows before the slice none can be on it, and as many of the list come before
    it: what is left out ahead shortens the offset.

    Args:
        live: All that the cluster has.
        archived: The rows of :func:`archive_slice`, without those that are live.
        limit: Length of the page.
        offset: How many of the list come before it.
        age: What orders both.
    """
    everything = sorted([*live, *archived], key=age, reverse=True)
    start = offset - archive_slice(len(live), limit, offset).offset
    return everything[start : start + limit]


def age_of(obj: Resource) -> tuple[datetime, str]:
    """Return what orders objects by age, as the archive orders its rows."""
    return obj.metadata.creation_timestamp or _NEVER, obj.metadata.uid
