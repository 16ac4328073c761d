"""When a rollout will have ended, from how long updates took. Nothing is made up.

For one wave after the other::

    rounds = ceil(targets left / targets at once)
    time   = rounds x the average duration, each begun while the window is open, + time to bake

The average is that of the tenant's newest updates that succeeded; without any there is no estimate.
Taken for granted: nothing fails, approvals come at once, no other rollout takes slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hydracore_core.windows import WindowState
from hydracore_crds import RolloutTarget

REMEMBERED = 64
"""So many of the newest updates count: enough to even out, few enough to be of these days."""

HORIZON = timedelta(days=366)
"""What would end later is not estimated."""

WindowAt = Callable[[datetime], WindowState]


@dataclass(frozen=True, slots=True)
class Observed:
    """How long updates took.

    Attributes:
        seconds: The average.
        number: Of so many updates.
    """

    seconds: float
    number: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is left of one wave.

    Attributes:
        targets: How many are still to end.
        bake_seconds: How long it bakes then.
    """

    targets: int
    bake_seconds: int = 0


def observe(targets: Iterable[RolloutTarget]) -> Observed | None:
    """Return how long updates took that succeeded; None if none of the targets did."""
    ended = [
        (t.status.completed_at, (t.status.completed_at - t.status.started_at).total_seconds())
        for t in targets
        if t.status.state == "succeeded" and t.status.completed_at and t.status.started_at
    ]
    newest = [took for _, took in sorted(ended)[-REMEMBERED:] if took >= 0]
    return Observed(sum(newest) / len(newest), len(newest)) if newest else None


def ends_at(
    now: datetime, stretches: Sequence[Stretch], at_once: int, seconds: float, window: WindowAt
) -> datetime | None:
    """Return when the last wave will have ended and baked.

    Args:
        now: The time, aware UTC.
        stretches: What is left of each wave, in order.
        at_once: How many are updated at once, at least 1.
        seconds: How long one takes.
        window: The window that holds for this rollout, at any time.

    Returns:
        The time; None if the window never opens, or it would take more than a year.
    """
    time = now
    for stretch in stretches:
        for _ in range(math.ceil(stretch.targets / at_once)):
            begins = _begin(time, window, now + HORIZON)
            if begins is None:
                return None
            time = begins + timedelta(seconds=seconds)
        time += timedelta(seconds=stretch.bake_seconds)
    return time


def _begin(time: datetime, window: WindowAt, horizon: datetime) -> datetime | None:
    """Return when a round that is due at ``time`` may begin; None for never."""
    found = window(time)
    if found.open:
        return time if time <= horizon else None
    opens = found.next_change
    return opens if opens is not None and opens <= horizon else None
