"""When which agent is asked next: a heap, so that each poll costs O(log n)."""

from __future__ import annotations

import heapq


class Schedule:
    """Keys with the time at which each is due; each key at most once."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._due)

    def plan(self, key: str, at: float) -> None:
        """Have a key due at this time, and no other."""
        self._due[key] = at
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(at, key) for key, at in self._due.items()]
            heapq.heapify(self._heap)

    def drop(self, key: str) -> None:
        """Forget a key; unknown ones are no error."""
        self._due.pop(key, None)

    def next_at(self) -> float | None:
        """Return when the next key is due, or None where there is none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # planned anew or dropped since
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> tuple[str, float] | None:
        """Take out the key that has been due for longest, with its time; None where none is."""
        at = self.next_at()
        if at is None or at > now:
            return None
        _, key = heapq.heappop(self._heap)
        del self._due[key]
        return key, at

    def overdue(self, now: float) -> int:
        """Return how many keys are due; looks at all of them."""
        return sum(1 for at in self._due.values() if at <= now)
