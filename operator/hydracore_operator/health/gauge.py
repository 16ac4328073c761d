"""What the loop achieves: rates, latencies, failures, and how far it lags behind."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

WINDOW_SECONDS = 60
LATENCIES = 1000
SATURATED_SHARE = 0.1
"""Polls that start later than this share of the interval mean that the loop cannot keep up."""


@dataclass(slots=True)
class _Second:
    """What happened in one second."""

    at: int
    polls: int = 0
    failures: int = 0
    lag: float = 0.0


class Gauge:
    """Counts in O(1) a poll; figures are worked out when they are asked for.

    Args:
        interval: Seconds between two polls of one agent.
        now: When counting begins.
    """

    def __init__(self, interval: float, now: float) -> None:
        self._interval = interval
        self._began = now
        self._seconds: deque[_Second] = deque(maxlen=WINDOW_SECONDS)
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self.polls = 0
        self.failures = 0
        self.examinations = 0

    def polled(self, now: float, lag: float, latency: float | None) -> None:
        """Count a poll.

        Args:
            now: When it ended.
            lag: How much later than planned it began, in seconds.
            latency: How long the answer took, in seconds; None where there was none.
        """
        second = self._second(now)
        self.polls += 1
        second.polls += 1
        second.lag = max(second.lag, lag)
        if latency is None:
            self.failures += 1
            second.failures += 1
        else:
            self._latencies.append(latency)

    def lag(self, now: float) -> float:
        """Return the longest lag of the last minute, in seconds."""
        return max((s.lag for s in self._lately(now)), default=0.0)

    def saturated(self, now: float) -> bool:
        """Whether the loop cannot keep up with its schedule."""
        return self.lag(now) > SATURATED_SHARE * self._interval

    def rate(self, now: float) -> float:
        """Return polls a second over the last minute."""
        span = min(float(WINDOW_SECONDS), max(1.0, now - self._began))
        return sum(second.polls for second in self._lately(now)) / span

    def figures(self, now: float) -> dict[str, Any]:
        """Return all figures, for people and programs."""
        ordered = sorted(self._latencies)
        return {
            "polls": self.polls,
            "failures": self.failures,
            "examinations": self.examinations,
            "pollsPerSecond": round(self.rate(now), 2),
            "failuresLastMinute": sum(second.failures for second in self._lately(now)),
            "latencyMs": {"p50": _at(ordered, 0.5), "p99": _at(ordered, 0.99)},
            "lagSeconds": round(self.lag(now), 3),
            "saturated": self.saturated(now),
        }

    def _second(self, now: float) -> _Second:
        if not self._seconds or self._seconds[-1].at != int(now):
            self._seconds.append(_Second(int(now)))
        return self._seconds[-1]

    def _lately(self, now: float) -> list[_Second]:
        return [second for second in self._seconds if now - second.at <= WINDOW_SECONDS]


def _at(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)
