"""One simulated agent: the order protocol's rules without a server, and what it remembers.

Its memory is the oracle of the tests that use it: what was in flight and what was activated is
counted here, never in the operator's status.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hydracore_agentclient.pollkeys import PollKeys, agree

FINAL = frozenset({"activated", "rolled_back", "rejected", "aborted", "expired"})
Outcome = Literal["activated", "rolled_back", "rejected"]


class RefusedError(Exception):
    """The protocol's error answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Faults:
    """What is wrong with an agent, switched on and off by a test."""

    lose_replies: int = 0
    """So many orders are accepted without the answer arriving."""
    silent: bool = False
    """Every connection is cut."""
    garbage: bool = False
    """Every answer is not the protocol."""
    wrong_identity: bool = False
    """Answers are proved with a stranger's key."""
    slow_seconds: float = 0.0
    """Every answer takes so long."""
    outcome: Outcome = "activated"
    """How pushes end."""
    message: str = ""
    unhealthy: bool = False
    """The agent is not healthy after its restart."""
    wrong_digest: bool = False
    """The agent reports another digest than the one it activated."""


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

    def begin(self, instance_id: str, task_id: str) -> None:
        self.accepted.append((instance_id, task_id))
        self.in_flight.add(task_id)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))

    def end(self, instance_id: str, task: Task) -> None:
        self.in_flight.discard(task.task_id)
        if task.finished_at is not None:
            self.slot_seconds += (task.finished_at - task.started_at).total_seconds()
        if task.state == "activated":
            self.activated.append((instance_id, task.task_id))

    def forget(self) -> None:
        """Count anew; what is in flight still is."""
        self.accepted.clear()
        self.activated.clear()
        self.stale = self.asked = self.not_modified = 0
        self.slot_seconds = 0.0
        self.most_in_flight = len(self.in_flight)

    def activations_of(self, instance_id: str) -> int:
        return sum(1 for found, _ in self.activated if found == instance_id)


class SimAgent:
    """An agent. ``hold`` keeps its pushes open until they are released by hand."""

    def __init__(
        self,
        instance_id: str,
        oracle: Oracle,
        now: Callable[[], datetime],
        *,
        push_seconds: float = 0.05,
        digest: str = "0" * 64,
        version: str = "1.0.0",
    ) -> None:
        self.instance_id = instance_id
        self.key = Ed25519PrivateKey.generate()
        self.faults = Faults()
        self.push_seconds = push_seconds
        self.hold = False
        self.takes_polls = True
        self._poll_keys: PollKeys | None = None
        self.digest, self.version = digest, version
        self.epoch = 0
        self.tasks: dict[str, Task] = {}
        self._oracle = oracle
        self._now = now
        self._pushes: set[asyncio.Task[None]] = set()

    @property
    def public_key(self) -> str:
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def poll_keys(self, control_plane: Ed25519PublicKey) -> PollKeys:
        """Return the keys of marked polls, agreed on once."""
        if self._poll_keys is None:
            self._poll_keys = agree(self.key, control_plane, self.instance_id)
        return self._poll_keys

    @property
    def active(self) -> Task | None:
        return next((task for task in reversed(self.tasks.values()) if not task.final), None)

    def take_order(self, claims: dict[str, Any]) -> tuple[int, Task]:
        """Accept an order, answer a repeated one with where it stands, or refuse."""
        self._check_epoch(int(claims["epoch"]))
        known = self.tasks.get(claims["jti"])
        if known is not None:
            return 200, known
        if self._now().timestamp() >= claims["exp"]:
            raise RefusedError(410, "expired", "the order's deadline has passed")
        if self.active is not None:
            raise RefusedError(409, "busy", f"task {self.active.task_id} is under way")
        task = Task(
            task_id=claims["jti"],
            sha256=claims["sha256"],
            version=claims["version"],
            epoch=claims["epoch"],
            not_after=claims["exp"],
            state="downloading",
            started_at=self._now(),
        )
        self.tasks[task.task_id] = task
        self._oracle.begin(self.instance_id, task.task_id)
        push = asyncio.get_running_loop().create_task(self._push(task))
        self._pushes.add(push)
        push.add_done_callback(self._pushes.discard)
        return 202, task

    def task(self, task_id: str) -> Task:
        if task_id not in self.tasks:
            raise RefusedError(404, "unknown_task", "this agent has never seen the task")
        return self.tasks[task_id]

    def take_abort(self, task_id: str, epoch: int) -> Task:
        """Abort a task; one never seen is remembered as aborted, as the real agent does."""
        self._check_epoch(epoch)
        task = self.tasks.get(task_id)
        if task is None:
            now = self._now()
            task = Task(task_id, "", "", epoch, now.timestamp(), "aborted", now, finished_at=now)
            self.tasks[task_id] = task
        elif not task.final:
            self._end(task, "aborted", "aborted by the control plane")
            task.release.set()
        return task

    def release(self) -> None:
        """Let a held push go on."""
        if self.active is not None:
            self.active.release.set()

    def forget(self) -> None:
        """Lose all memory, as with a replaced disk."""
        self.tasks.clear()
        self.epoch = 0

    async def close(self) -> None:
        for push in list(self._pushes):
            push.cancel()
        await asyncio.gather(*self._pushes, return_exceptions=True)

    def status(self) -> dict[str, Any]:
        """Return the body of ``GET /api/status``."""
        healthy = not self.faults.unhealthy
        latest = next(reversed(self.tasks.values()), None)
        return {
            "instanceId": self.instance_id,
            "slug": "expressclaw",
            "version": self.version,
            "bundleHash": "f" * 64 if self.faults.wrong_digest else self.digest,
            "healthy": healthy,
            "healthStatus": "healthy" if healthy else "unhealthy",
            "onTrial": False,
            "epoch": self.epoch,
            "task": self.report(latest) if latest is not None else None,
        }

    def deep(self) -> dict[str, Any]:
        """Return the body of ``GET /api/health/deep``."""
        state = "unhealthy" if self.faults.unhealthy else "healthy"
        found = {"status": state, "message": "simulated", "latencyMs": 0.1}
        return {
            "status": state,
            "checkedAt": self._now().isoformat(),
            "uptimeSeconds": 0,
            "subsystems": {"disk": found},
        }

    def report(self, task: Task) -> dict[str, Any]:
        """Return a TaskReport."""
        return {
            "taskId": task.task_id,
            "state": task.state,
            "final": task.final,
            "sha256": task.sha256 or None,
            "version": task.version or None,
            "message": task.message,
            "startedAt": task.started_at.isoformat(),
            "finishedAt": task.finished_at.isoformat() if task.finished_at else None,
            "bytesDone": 0,
            "bytesTotal": 0,
            "runningHash": self.digest,
        }

    async def _push(self, task: Task) -> None:
        if self.hold:
            await task.release.wait()
        elif self.push_seconds:
            await asyncio.sleep(self.push_seconds)
        if task.final:
            return
        if self._now().timestamp() >= task.not_after:
            self._end(task, "expired", "the deadline came before the switch")
            return
        if self.faults.outcome == "activated":
            self.digest, self.version = task.sha256, task.version
        self._end(task, self.faults.outcome, self.faults.message)

    def _end(self, task: Task, state: str, message: str) -> None:
        task.state, task.message, task.finished_at = state, message, self._now()
        self._oracle.end(self.instance_id, task)

    def _check_epoch(self, epoch: int) -> None:
        if epoch < self.epoch:
            self._oracle.stale += 1
            raise RefusedError(409, "stale_epoch", f"heard from epoch {self.epoch}")
        self.epoch = epoch
