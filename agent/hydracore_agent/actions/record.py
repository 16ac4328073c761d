"""One action as the agent remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

ACTIONS = ("power-cycle", "run-diagnostics", "clear-circuit-breakers", "apply-updates")
"""What this agent can do itself. A reboot of the whole server is its provider's."""

ACCEPTED = "accepted"
RESTARTING = "restarting"
SUCCEEDED = "succeeded"
FAILED = "failed"
INTERRUPTED = "interrupted"
ABANDONED = "abandoned"
FINAL = frozenset({SUCCEEDED, FAILED, INTERRUPTED, ABANDONED})
MAX_MESSAGE = 1000


@dataclass(slots=True)
class ActionRecord:
    """An action and what became of it.

    Attributes:
        state: ``accepted`` → (``restarting`` →) one of :data:`FINAL`. ``interrupted``: this
            process ended while it ran, so its effect is not known. ``abandoned``: the control
            plane asked about it before it came; it will never run.
        not_after: Unix seconds; from then on it does not begin.
        pid: Of the process that accepted it.
        detail: For people.
        diagnostics: The deep health report that it made.
    """

    action_id: str
    action: str
    state: str
    epoch: int
    not_after: float
    started_at: str
    pid: int
    finished_at: str | None = None
    message: str = ""
    detail: dict[str, str] = field(default_factory=dict)
    diagnostics: dict[str, Any] | None = None

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    def to_json(self) -> dict[str, Any]:
        """Return what is kept on disk."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ActionRecord:
        """Return the record kept on disk; fields of another version are left out.

        Raises:
            TypeError: a needed field is missing.
        """
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def report(self) -> dict[str, Any]:
        """Return the ActionReport of the agent protocol."""
        return {
            "actionId": self.action_id,
            "action": self.action,
            "state": self.state,
            "final": self.final,
            "message": self.message,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "detail": self.detail,
            "diagnostics": self.diagnostics,
        }
