"""When an undelivered notification is tried again.

The times count from when it was recorded, not from the last attempt: who takes over after a crash
needs no count of attempts, and the attempts stay bounded.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

OFFSETS_SECONDS = (0, 5, 25, 105, 425, 1705, 6825, 21_225, 35_625, 50_025, 64_425, 78_825)
"""Gaps grow fourfold from five seconds up to four hours."""
GIVE_UP_AFTER = timedelta(hours=24)
_SPREAD = 0.25


def next_attempt(created_at: datetime, now: datetime, jitter: float) -> datetime | None:
    """Return when to try again after an attempt that failed.

    Args:
        created_at: When the notification was recorded.
        now: When the attempt failed.
        jitter: 0 ≤ jitter < 1; spreads what failed together over a quarter of the next gap.

    Returns:
        A time after ``now``, within a day of ``created_at``; None: it is given up.
    """
    age = (now - created_at).total_seconds()
    edges = (*OFFSETS_SECONDS, GIVE_UP_AFTER.total_seconds())
    for offset, following in pairwise(edges):
        if offset > age:
            return created_at + timedelta(seconds=offset + _SPREAD * jitter * (following - offset))
    return None
