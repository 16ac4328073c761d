"""When a rollout will have ended, from how long updates took. Nothing is made up.

Target by target, wave by wave: each begins once a slot is free and the distance to the start before
has passed, while the window is open for as long as updates take, and takes the average; after the
last one of a wave comes its time to bake.

The average is that of the tenant's newest updates that succeeded; without any there is no estimate.
Taken for granted: nothing fails, approvals come at once, no other rollout takes slots.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hydracore_core.windows.openings import WindowAt, first_with
from hydracore_crds import RolloutTarget

REMEMBERED = 64
"""So many of the newest updates count: enough to even out, few enough to be of these days."""

HORIZON = timedelta(days=366)
"""What would end later is not estimated."""


@dataclass(frozen=True, slots=True)
class Observed:
    """How long updates took.

    Attributes:
        seconds: The average.
        number: Of so many updates.
        p95_seconds: 19 of 20 took no longer (nearest rank).
    """

    seconds: float
    number: int
    p95_seconds: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is left of one wave.

    Attributes:
        targets: How many are still to end.
        bake_seconds: How long it bakes then.
    """

    targets: int
    bake_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Tempo:
    """How fast a rollout goes.

    Attributes:
        at_once: How many are updated at once, at least 1.
        seconds: How long one takes.
        needs: For how long the window must stay open for one to begin.
        distance: How far apart starts are, by how many have succeeded.
        succeeded: How many have by now.
        last: The latest start so far, where starts keep a distance.
    """

    at_once: int
    seconds: float
    needs: timedelta = timedelta()
    distance: Callable[[int], timedelta] = lambda _: timedelta()
    succeeded: int = 0
    last: datetime | None = None


def observe(targets: Iterable[RolloutTarget]) -> Observed | None:
    """Return how long updates took that succeeded; None if none of the targets did.

    One that was settled after its order's end does not count: nobody knows when it was done.
    """
    ended = [
        (t.status.completed_at, (t.status.completed_at - t.status.started_at).total_seconds())
        for t in targets
        if t.status.state == "succeeded"
        and t.status.completed_at
        and t.status.started_at
        and (t.status.deadline is None or t.status.completed_at <= t.status.deadline)
    ]
    newest = [took for _, took in sorted(ended)[-REMEMBERED:] if took >= 0]
    if not newest:
        return None
    p95 = sorted(newest)[math.ceil(0.95 * len(newest)) - 1]
    return Observed(sum(newest) / len(newest), len(newest), p95)


def ends_at(
    now: datetime, stretches: Sequence[Stretch], tempo: Tempo, window: WindowAt
) -> datetime | None:
    """Return when the last wave will have ended and baked.

    Args:
        now: The time, aware UTC.
        stretches: What is left of each wave, in order.
        tempo: How fast it goes.
        window: The window that holds for this rollout, at any time.

    Returns:
        The time; None if the window never opens for long enough, or it would take more than a year.
    """
    time, pace = now, _Pace(tempo)
    for stretch in stretches:
        free = [time] * min(tempo.at_once, stretch.targets)
        for _ in range(stretch.targets):
            due = pace.due(heapq.heappop(free))
            begins = first_with(tempo.needs, due, window)
            if begins is None or begins > now + HORIZON:
                return None
            time = pace.start(begins)
            heapq.heappush(free, time)
        time += timedelta(seconds=stretch.bake_seconds)
    return time


class _Pace:
    """The starts so far: when the next one may be."""

    def __init__(self, tempo: Tempo) -> None:
        self._tempo = tempo
        self._last, self._succeeded = tempo.last, tempo.succeeded
        self._under_way: deque[datetime] = deque()

    def start(self, begins: datetime) -> datetime:
        """Note a start; return when that one will have ended."""
        self._last = begins
        self._under_way.append(begins + timedelta(seconds=self._tempo.seconds))
        return self._under_way[-1]

    def due(self, free: datetime) -> datetime:
        """Return when the next may start that has a slot from ``free`` on."""
        if self._last is None:
            return free
        time = free
        while True:
            due = max(time, self._last + self._tempo.distance(self._succeeded))
            if not self._under_way or self._under_way[0] > due:
                return due
            # What ends before may raise the rate.
            time = max(time, self._under_way.popleft())
            self._succeeded += 1
