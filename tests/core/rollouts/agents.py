"""Fake agents with a clock of the simulator: they take orders, last a while, and may fall silent.

What an agent did is recorded here, independently of every status: the oracles count here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Behaviour:
    """How an agent carries out one order.

    Attributes:
        minutes: How long it works.
        outcome: Final state it then reports.
        message: What it says with it.
        silent: For how many minutes after taking the order nobody can reach it.
    """

    minutes: float = 4
    outcome: str = "activated"
    message: str = ""
    silent: float = 0


CRASH = Behaviour(
    minutes=2, outcome="rolled_back", message="trial crashed: ImportError: no module named gadget"
)


@dataclass
class Order:
    """An order that an agent took."""

    task_id: str
    digest: str
    behaviour: Behaviour
    taken_at: datetime
    not_after: datetime
    state: str = "working"
    message: str = ""

    @property
    def ends_at(self) -> datetime:
        """When the agent is done, by work or by the order's end."""
        return min(self.taken_at + timedelta(minutes=self.behaviour.minutes), self.not_after)


@dataclass
class Agent:
    """One agent; ``script`` holds the behaviours for its next orders, then the default holds."""

    name: str
    default: Behaviour = field(default_factory=Behaviour)
    script: deque[Behaviour] = field(default_factory=deque)
    orders: dict[str, Order] = field(default_factory=dict)
    silent_until: datetime | None = None
    digest: str = ""
    activations: list[str] = field(default_factory=list)

    @property
    def working(self) -> Order | None:
        return next((o for o in self.orders.values() if o.state == "working"), None)

    def take(self, task_id: str, digest: str, now: datetime, not_after: datetime) -> None:
        """Take an order; a repeated one changes nothing."""
        if task_id in self.orders:
            return
        assert self.working is None, f"{self.name}: a second order while one is in flight"
        behaviour = self.script.popleft() if self.script else self.default
        self.orders[task_id] = Order(task_id, digest, behaviour, now, not_after)
        if behaviour.silent:
            self.silence(now + timedelta(minutes=behaviour.silent))

    def silence(self, until: datetime) -> None:
        self.silent_until = max(self.silent_until or until, until)

    def abort(self, task_id: str) -> None:
        order = self.orders[task_id]
        if order.state == "working":
            order.state, order.message = "aborted", "aborted as told"

    def tick(self, now: datetime) -> None:
        """Let time pass: finish what is due, end what is past its ``notAfter``."""
        order = self.working
        if order is None or now < order.ends_at:
            return
        if order.taken_at + timedelta(minutes=order.behaviour.minutes) >= order.not_after:
            order.state, order.message = "expired", "past its deadline"
            return
        order.state, order.message = order.behaviour.outcome, order.behaviour.message
        if order.state == "activated":
            self.digest = order.digest
            self.activations.append(order.task_id)

    def reachable(self, now: datetime) -> bool:
        return self.silent_until is None or now >= self.silent_until

    def next_event(self, now: datetime) -> list[datetime]:
        """Return the times at which something about this agent changes."""
        times = [self.working.ends_at] if self.working else []
        if self.silent_until is not None:
            times.append(self.silent_until)
        return [time for time in times if time > now]
