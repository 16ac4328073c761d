"""What the oracles remember: of orders by the agents' account, of claims by the API server's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tests.simulation.oracle import Oracle, Task


class Attempt(NamedTuple):
    """One attempt of one target."""

    target_uid: str
    number: int


@dataclass
class Records:
    """The records of one history.

    Attributes:
        violations: What must never happen, and did.
        claimed: Tasks that ever had a slot in the stored ledger.
        carried: For which target's attempt a task was stored as in progress.
        limits: By task and epoch, the highest limit its sender may have known when it was sent.
        begun: When an agent began with a task.
        ended: How agents say that tasks ended.
        approvals: All that people have approved.
        resumes: How often people resumed each rollout, by uid; ``retries``: retried a target.
        back: Rollouts that people asked to take back, by uid.
        halts: By uid, how often it had been resumed when a rollout halted.
    """

    violations: list[str] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    carried: dict[str, Attempt] = field(default_factory=dict)
    limits: dict[tuple[str, int], int] = field(default_factory=dict)
    begun: dict[str, datetime] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    approvals: set[str] = field(default_factory=set)
    resumes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    retries: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    halts: dict[str, int] = field(default_factory=dict)
    finals: dict[str, int] = field(default_factory=dict)

    def pushes(self, attempt: Attempt) -> list[str]:
        """Return the tasks of an attempt that an agent carried out, or still does."""
        tasks = (task for task, whose in self.carried.items() if whose == attempt)
        return [t for t in tasks if t in self.begun and self.ended.get(t) != "aborted"]


class AgentsBook(Oracle):
    """The agents' own record, which says at once what it takes in."""

    def __init__(
        self, begun: Callable[[str, str], None], ended: Callable[[str, Task], None]
    ) -> None:
        super().__init__()
        self._begun, self._ended = begun, ended

    def begin(self, instance_id: str, task: Task) -> None:
        super().begin(instance_id, task)
        self._begun(instance_id, task.task_id)

    def end(self, instance_id: str, task: Task) -> None:
        super().end(instance_id, task)
        self._ended(instance_id, task)
