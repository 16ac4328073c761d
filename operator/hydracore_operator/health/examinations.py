"""When an agent is to examine itself thoroughly: now and then, and when something is wrong."""

from __future__ import annotations

import random

from hydracore_operator.health.verdicts import Seen

JITTER = 0.1
WORRIED_SHARE = 0.1
"""An agent that is not well is examined after this share of the interval."""


class Examinations:
    """Remembers when each agent was examined; by instance id.

    Args:
        interval: Seconds between two examinations of an agent that is well.
        rng: Spreads them.
    """

    def __init__(self, interval: float, rng: random.Random) -> None:
        self._interval = interval
        self._rng = rng
        self._next: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def due(self, instance_id: str, seen: Seen, now: float, *, well: bool) -> bool:
        """Say whether to examine an agent that has just answered.

        The first time comes at random within an interval, so that a restart does not ask all.

        Args:
            instance_id: Whose agent.
            seen: What its answer has led to.
            now: Seconds that never go backwards.
            well: Whether the answer says that all is well.
        """
        planned = self._next.get(instance_id)
        if planned is None:
            planned = self._next[instance_id] = now + self._rng.random() * self._interval
        last = self._last.get(instance_id)
        pause = self._interval * WORRIED_SHARE
        worried = (seen.changed or not well) and (last is None or now - last >= pause)
        if now < planned and not worried:
            return False
        self._last[instance_id] = now
        spread = 1 + JITTER * (2 * self._rng.random() - 1)
        self._next[instance_id] = now + self._interval * spread
        return True

    def forget(self, instance_id: str) -> None:
        """Drop what is remembered of an instance."""
        self._next.pop(instance_id, None)
        self._last.pop(instance_id, None)
