"""What the timing oracles remember of a simulated tenant; no plan ever sees it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Stopwatch:
    """Seconds since a rollout's last success, by two measures of our own.

    Attributes:
        least: While its operator was there, nothing held it up, and it had an order in flight.
        most: While nothing was known to hold it up, whether or not anybody was there to start.
    """

    least: float = 0.0
    most: float = 0.0


@dataclass
class Records:
    """The records.

    Attributes:
        starts: When each rollout (by uid) started targets, in order.
        retries: How often the operator itself has asked for a retry, by rollout uid and target.
        durations: How long the tenant's updates took that succeeded in time, in seconds, as they
            ended.
        successes: How many updates of each rollout (by uid) have succeeded.
        watches: A stopwatch for each rollout, by uid.
        accepted: Until when failures were last seen to be accepted, by rollout uid.
    """

    starts: dict[str, list[datetime]] = field(default_factory=dict)
    retries: Counter[tuple[str, str]] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    successes: Counter[str] = field(default_factory=Counter)
    watches: dict[str, Stopwatch] = field(default_factory=dict)
    accepted: dict[str, datetime | None] = field(default_factory=dict)

    def watch(self, uid: str) -> Stopwatch:
        return self.watches.setdefault(uid, Stopwatch())
