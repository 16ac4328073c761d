"""One simulated agent: the order protocol's rules without a server, and what it remembers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hydracore_agentclient.pollkeys import PollKeys, agree
from tests.simulation.oracle import BEFORE_SWITCH, Oracle, Task

MOST_WAITING = 16
Outcome = Literal["activated", "rolled_back", "rejected"]


class RefusedError(Exception):
    """The protocol's error answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class CutError(Exception):
    """The connection breaks before an answer."""


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
    cuts_waits: bool = False
    """Questions that wait are cut at once, as by a proxy that thinks little of them."""
    slow_seconds: float = 0.0
    """Every answer takes so long."""
    outcome: Outcome = "activated"
    """How pushes end."""
    message: str = ""
    unhealthy: bool = False
    """The agent is not healthy after its restart."""
    wrong_digest: bool = False
    """The agent reports another digest than the one it activated."""


class SimAgent:
    """An agent.

    Attributes:
        push_seconds: How long its pushes take.
        restart_seconds: At the switch it is gone for so long, then so long on trial.
        hold: Keeps its pushes open until they are released by hand.
        takes_polls: Whether it knows marked polls.
        waits: Whether it knows how to wait for an order's end; older agents do not.
        away: Whether it restarts now.
        waiting: Questions that wait now.
    """

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
        self.restart_seconds = 0.0
        self.hold = False
        self.takes_polls = self.waits = True
        self.away = False
        self.waiting = 0
        self._poll_keys: PollKeys | None = None
        self.digest, self.version = digest, version
        self.epoch = 0
        self.tasks: dict[str, Task] = {}
        self._oracle = oracle
        self._now = now
        self._pushes: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._closed = False

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
        self._oracle.begin(self.instance_id, task)
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
            self._stir()
        elif task.state in BEFORE_SWITCH:
            self._end(task, "aborted", "aborted by the control plane")
            task.release.set()
        return task

    async def until(self, task_id: str, seconds: float) -> None:
        """Wait while an order is being worked on, as the real agent does.

        Raises:
            CutError: Meanwhile, or at once, the connection broke.
        """
        if self.faults.cuts_waits:
            raise CutError
        if self.waits and self.waiting < MOST_WAITING:
            self.waiting += 1
            try:
                async with asyncio.timeout(seconds):
                    while self._works_on(task_id):
                        await self._news.wait()
            except TimeoutError:
                pass
            finally:
                self.waiting -= 1
        if self.away or self.faults.silent:
            raise CutError

    def release(self) -> None:
        """Let a held push go on."""
        if self.active is not None:
            self.active.release.set()

    def forget(self) -> None:
        """Lose all memory, as with a replaced disk."""
        self.tasks.clear()
        self.epoch = 0
        self._stir()

    async def close(self) -> None:
        self._closed = True
        self._stir()
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
            "onTrial": latest is not None and latest.state == "trial",
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
        if self.restart_seconds:
            await self._restart(task)
        if self.faults.outcome == "activated":
            self.digest, self.version = task.sha256, task.version
        self._end(task, self.faults.outcome, self.faults.message)

    async def _restart(self, task: Task) -> None:
        task.state, self.away = "switching", True
        self._stir()
        await asyncio.sleep(self.restart_seconds)
        task.state, self.away = "trial", False
        await asyncio.sleep(self.restart_seconds)

    def _works_on(self, task_id: str) -> bool:
        latest = next(reversed(self.tasks.values()), None)
        if latest is None or latest.task_id != task_id or self._closed:
            return False
        return latest.state in BEFORE_SWITCH or latest.state == "trial"

    def _stir(self) -> None:
        """Have all questions that wait look again."""
        self._news.set()
        self._news = asyncio.Event()

    def _end(self, task: Task, state: str, message: str) -> None:
        task.state, task.message, task.finished_at = state, message, self._now()
        self._oracle.end(self.instance_id, task)
        self._stir()

    def _check_epoch(self, epoch: int) -> None:
        if epoch < self.epoch:
            self._oracle.stale += 1
            raise RefusedError(409, "stale_epoch", f"heard from epoch {self.epoch}")
        self.epoch = epoch
