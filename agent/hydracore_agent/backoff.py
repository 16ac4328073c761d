"""Pauses that double with each failure, and vary so that a fleet does not call in step."""

from __future__ import annotations

from collections.abc import Callable

MAX_DOUBLINGS = 16


class Backoff:
    """Counts failures in a row."""

    def __init__(self, first: float, most: float, spread: Callable[[], float]) -> None:
        """Take the first and the longest pause in seconds; ``spread`` returns 0 to 1."""
        self._first = first
        self._most = most
        self._spread = spread
        self.failures = 0

    def reset(self) -> None:
        """Forget the failures."""
        self.failures = 0

    def pause(self) -> float:
        """Count a failure; return how many seconds to wait: 50 to 100 % of the full pause."""
        full = min(self._first * 2.0 ** min(self.failures, MAX_DOUBLINGS), self._most)
        self.failures += 1
        return full * (0.5 + self._spread() / 2)
