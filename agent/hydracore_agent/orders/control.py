"""What every step of a task asks now and then: may I go on?"""

from __future__ import annotations

import threading
from datetime import datetime

from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.orders.outcome import Aborted, Expired


class Control:
    """The deadline and the stop sign of one task; safe to use from a thread.

    Attributes:
        deadline: When the task must be over.
        problem: What went wrong last and is being tried again; None if nothing is.
    """

    def __init__(self, deadline: datetime, now: Clock) -> None:
        self.deadline = deadline
        self.problem: str | None = None
        self._now = now
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Make the next :meth:`check` end the step."""
        self._stopped.set()

    def check(self) -> None:
        """Return if the task may go on.

        Raises:
            Aborted: it was stopped.
            Expired: the deadline has come.
        """
        if self._stopped.is_set():
            raise Aborted("stopped")
        if self.seconds_left() <= 0:
            raise Expired(f"the order was good until {to_wire(self.deadline)}")

    def seconds_left(self) -> float:
        """Return the seconds until the deadline; negative after it."""
        return (self.deadline - self._now()).total_seconds()
