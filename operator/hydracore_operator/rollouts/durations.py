"""How long orders take, so that agents are asked when they are likely to have ended."""

from __future__ import annotations

from collections import deque

from hydracore_agentclient import TaskReport

REMEMBERED = 64
MARGIN_SECONDS = 0.05
"""For the agent to store its outcome after the last step that its times cover."""
OVERDUE_SHARE = 0.1
"""An order that takes longer than usual is asked about again after this share of the usual time."""
OVERDUE_LEAST = 0.1
OVERDUE_UNTIL = 2.0
"""So many times the usual time; after that it is not about to end, but something else."""


class Durations:
    """The latest orders of one tenant. Times are the agents' own, so clocks need not agree."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)

    def note(self, report: TaskReport) -> None:
        """Take in how long an order took that ended with the new runtime in place."""
        if report.state == "activated" and report.started_at and report.finished_at:
            took = (report.finished_at - report.started_at).total_seconds()
            if took >= 0:
                self._seconds.append(took)

    def usual(self) -> float | None:
        """Return how long nine of ten orders took at most; None before the first has ended."""
        if not self._seconds:
            return None
        return sorted(self._seconds)[len(self._seconds) * 9 // 10]

    def wait(self, elapsed: float, regular: float) -> float:
        """Return how long to wait before an agent is asked again.

        Args:
            elapsed: Seconds since the agent took the order.
            regular: What the wait would be if nothing were known. It is never exceeded, so that
                an order that fails early is noticed as early as ever.
        """
        usual = self.usual()
        if usual is None:
            return regular
        left = usual + MARGIN_SECONDS - elapsed
        if left > 0:
            return min(left, regular)
        if elapsed < OVERDUE_UNTIL * usual:
            return min(regular, max(OVERDUE_LEAST, OVERDUE_SHARE * usual))
        return regular
