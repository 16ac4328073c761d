"""What must never be forgotten: the highest epoch and every task, on disk before it counts.

Agent and launcher both change it, so each change is made under a file lock on what is on disk.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.errors import StateError, describe_os_error
from hydracore_agent.files import read_json, write_json
from hydracore_agent.orders.ledger import Ledger
from hydracore_agent.orders.task import MAX_MESSAGE, Task

log = logging.getLogger(__name__)

KEPT_TASKS = 100
"""Finished tasks that are always kept; older ones go once their deadline is an hour past."""
KEEP_SECONDS = 3600


@dataclass(slots=True)
class Memory:
    """What is remembered, inside a change or as read."""

    epoch: int = 0
    tasks: dict[str, Task] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    changed: bool = False

    @property
    def active(self) -> Task | None:
        """The task that is under way; there is never more than one."""
        return next((task for task in self.tasks.values() if not task.final), None)

    @property
    def latest(self) -> Task | None:
        """The task accepted last."""
        return next(reversed(self.tasks.values()), None)

    def raise_epoch(self, epoch: int) -> None:
        """Remember a higher epoch."""
        if epoch > self.epoch:
            self.epoch = epoch
            self.changed = True

    def add(self, task: Task) -> None:
        """Remember a new task."""
        self.tasks[task.task_id] = task
        self._note(task, task.started_at)

    def move(self, task: Task, state: str, message: str, now: str) -> None:
        """Take a task to its next state.

        Raises:
            StateError: the task is finished; what is final stays.
        """
        if task.final:
            raise StateError(f"task {task.task_id} is {task.state} and cannot become {state}")
        task.state = state
        task.message = message[:MAX_MESSAGE]
        task.finished_at = now if task.final else None
        self._note(task, now)

    def _note(self, task: Task, now: str) -> None:
        self.changed = True
        self.events.append(event_of(task, now))


def event_of(task: Task, now: str) -> dict[str, Any]:
    """Return the ledger's line for a task's present state."""
    return {
        "at": now,
        "event": task.state,
        "taskId": task.task_id,
        "epoch": task.epoch,
        "sha256": task.sha256,
        "version": task.version,
        "message": task.message,
        "pid": os.getpid(),
    }


class OrderMemory:
    """The memory on disk."""

    def __init__(self, path: Path, ledger: Path, now: Clock) -> None:
        self._path = path
        self._lock_path = path.with_suffix(".lock")
        self._ledger = Ledger(ledger)
        self._now = now
        self._thread_lock = threading.Lock()
        self._seen: tuple[tuple[int, int, int] | None, Memory] | None = None

    def read(self) -> Memory:
        """Return what is remembered; not to be changed.

        Raises:
            StateError: the file is damaged.
        """
        stamp = self._stamp()
        if self._seen is None or self._seen[0] != stamp:
            self._seen = (stamp, self._load())
        return self._seen[1]

    @contextmanager
    def change(self) -> Iterator[Memory]:
        """Change the memory: alone, all or nothing, durable when the block has ended.

        Raises:
            StateError: the file is damaged.
            OSError: it could not be written; nothing has changed.
        """
        with self._alone():
            memory = self._load()
            yield memory
            if memory.changed:
                self._prune(memory)
                write_json(
                    self._path,
                    {
                        "epoch": memory.epoch,
                        "tasks": [task.to_json() for task in memory.tasks.values()],
                    },
                )
            self._record(memory.events)

    def _record(self, events: list[dict[str, Any]]) -> None:
        """Write the ledger's lines; what fails here is made good by :meth:`recover`."""
        try:
            for event in events:
                self._ledger.append(event)
        except OSError as error:
            log.warning("the ledger cannot be written: %s", describe_os_error(error))

    def stamp(self) -> str:
        """Return the time as it is kept in tasks and ledger."""
        return to_wire(self._now())

    def note(self, event: str, **details: Any) -> None:
        """Append an event of no task (a refusal, the first installation) to the ledger."""
        with self._alone():
            self._record([{"at": self.stamp(), "event": event, **details, "pid": os.getpid()}])

    def recover(self) -> None:
        """Write the ledger's line that a kill between the two files has left out."""
        with self._alone():
            latest = self._load().latest
            if latest is None:
                return
            written = {(line.get("taskId"), line.get("event")) for line in self._ledger.tail()}
            if (latest.task_id, latest.state) not in written:
                self._ledger.append(event_of(latest, latest.finished_at or self.stamp()))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._thread_lock:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _load(self) -> Memory:
        try:
            data = read_json(self._path)
            if data is None:
                return Memory()
            tasks = [Task.from_json(item) for item in data["tasks"]]
            return Memory(int(data["epoch"]), {task.task_id: task for task in tasks})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"{self._path} is damaged ({error}): epochs and tasks would be forgotten; "
                "restore it, or remove it if no order is under way"
            ) from error

    def _prune(self, memory: Memory) -> None:
        before = self._now().timestamp() - KEEP_SECONDS
        old = [task for task in memory.tasks.values() if task.final and task.not_after < before]
        for task in old[: max(0, len(memory.tasks) - KEPT_TASKS)]:
            del memory.tasks[task.task_id]
