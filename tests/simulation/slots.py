"""How much slot time orders take while targets still wait for theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass
class SlotTime:
    """Integrates the orders in flight over time, from the first order's arrival to the last one's.

    After the last one nothing waits any more: a slot that is empty then is no loss. Whether an
    order was the last shows only later, so the sum is kept as it was at each arrival. Either event
    costs the same however many orders there are.

    Attributes:
        busy_seconds: Sum of the times that orders were in flight within the span.
        span_seconds: From the first order's arrival to the last one's.
    """

    busy_seconds: float = 0.0
    span_seconds: float = 0.0
    _area: float = 0.0
    _first: datetime | None = None
    _latest: datetime | None = None

    def begin(self, at: datetime, in_flight: int) -> None:
        """Count an order that arrives; so many were in flight just before."""
        self._first = self._first or at
        self._pass(at, in_flight)
        self.busy_seconds = self._area
        self.span_seconds = (at - self._first).total_seconds()

    def end(self, at: datetime, in_flight: int) -> None:
        """Count an order that ends; so many were in flight just before, with it."""
        if self._first is not None:
            self._pass(at, in_flight)

    def _pass(self, at: datetime, in_flight: int) -> None:
        if self._latest is not None:
            self._area += in_flight * (at - self._latest).total_seconds()
        self._latest = at
