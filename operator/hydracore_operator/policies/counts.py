"""When ``status.inFlight`` is counted again: a rollout must not cost a policy write per target."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from hydracore_crds import RolloutTarget
from hydracore_operator.clock import Clock

COUNT_EVERY = timedelta(seconds=5)
"""Shortest time between two counts of what is in flight; every start and end of a push wakes us."""


class Counts:
    """When each policy was last counted, by key."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing counted."""
        self._clock = clock
        self._counted: dict[str, float] = {}

    def wait(self, key: str) -> timedelta:
        """Return how long the next count is put off; zero where it is due."""
        counted = self._counted.get(key)
        if counted is None:
            return timedelta()
        passed = timedelta(seconds=self._clock.monotonic() - counted)
        return max(COUNT_EVERY - passed, timedelta())

    def counted(self, key: str) -> None:
        """Remember that a count was written just now."""
        self._counted[key] = self._clock.monotonic()

    def forget(self, key: str) -> None:
        """Forget a policy that is gone."""
        self._counted.pop(key, None)


def in_flight(targets: Iterable[RolloutTarget]) -> int:
    """Return how many of the targets are in progress."""
    return sum(target.status.state == "in_progress" for target in targets)
