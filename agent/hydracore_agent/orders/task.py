"""One order as the agent remembers it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from hydracore_agent.clock import from_unix

ACTIVE = ("accepted", "downloading", "verifying", "unpacking", "switching", "trial")
FINAL = ("activated", "rolled_back", "rejected", "aborted", "expired")
BEFORE_SWITCH = ("accepted", "downloading", "verifying", "unpacking")
MAX_MESSAGE = 1000


@dataclass(slots=True)
class Task:
    """An order and what became of it.

    Attributes:
        not_after: Unix seconds; at and after it the task neither starts nor switches.
        trial_starts: How often the launcher started the release on trial.
    """

    task_id: str
    epoch: int
    state: str
    started_at: str
    not_after: float
    slug: str = ""
    version: str = ""
    sha256: str = ""
    size_bytes: int = 0
    key_id: str = ""
    signature: str = ""
    url: str = ""
    force: bool = False
    message: str = ""
    finished_at: str | None = None
    trial_starts: int = 0

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    @property
    def deadline(self) -> datetime:
        """``not_after`` as a time."""
        return from_unix(self.not_after)

    def to_json(self) -> dict[str, Any]:
        """Return what is kept on disk."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Task:
        """Return the task kept on disk; fields of another version are left out.

        Raises:
            TypeError: a needed field is missing.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def report(self, *, running_hash: str | None, bytes_done: int) -> dict[str, Any]:
        """Return the TaskReport of the agent protocol."""
        return {
            "taskId": self.task_id,
            "state": self.state,
            "final": self.final,
            "sha256": self.sha256 or None,
            "version": self.version or None,
            "message": self.message,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "bytesDone": bytes_done,
            "bytesTotal": self.size_bytes,
            "runningHash": running_hash,
        }
