"""What simulated agents remember and did.

It is the oracle of the tests that use them: what was in flight and what was activated is counted
here, never in the operator's status.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from tests.simulation.slots import SlotTime

BEFORE_SWITCH = frozenset({"accepted", "downloading", "verifying", "unpacking"})
FINAL = frozenset({"activated", "rolled_back", "rejected", "aborted", "expired"})


@dataclass
class Task:
    """One order as the agent remembers it."""

    task_id: str
    sha256: str
    version: str
    epoch: int
    not_after: float
    state: str
    started_at: datetime
    message: str = ""
    finished_at: datetime | None = None
    release: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def final(self) -> bool:
        return self.state in FINAL


@dataclass
class Oracle:
    """What all agents of a fleet did."""

    in_flight: set[str] = field(default_factory=set)
    most_in_flight: int = 0
    accepted: list[tuple[str, str]] = field(default_factory=list)
    """(instance id, task id), in order."""
    activated: list[tuple[str, str]] = field(default_factory=list)
    stale: int = 0
    """Orders and aborts of replaced leaders that were refused."""
    asked: int = 0
    """Requests of every kind."""
    not_modified: int = 0
    """Polls that were answered with a 304."""
    slot_seconds: float = 0.0
    """Sum of the times that orders took, by the agents' clock."""
    slots: SlotTime = field(default_factory=SlotTime)
    """The same while targets still waited for their order."""

    def begin(self, instance_id: str, task: Task) -> None:
        self.slots.begin(task.started_at, len(self.in_flight))
        self.accepted.append((instance_id, task.task_id))
        self.in_flight.add(task.task_id)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))

    def end(self, instance_id: str, task: Task) -> None:
        if task.finished_at is not None:
            self.slots.end(task.finished_at, len(self.in_flight))
            self.slot_seconds += (task.finished_at - task.started_at).total_seconds()
        self.in_flight.discard(task.task_id)
        if task.state == "activated":
            self.activated.append((instance_id, task.task_id))

    def forget(self) -> None:
        """Count anew; what is in flight still is."""
        self.accepted.clear()
        self.activated.clear()
        self.stale = self.asked = self.not_modified = 0
        self.slot_seconds = 0.0
        self.slots = SlotTime()
        self.most_in_flight = len(self.in_flight)

    def activations_of(self, instance_id: str) -> int:
        return sum(1 for found, _ in self.activated if found == instance_id)
