"""Where a rollout is, in the words of its status."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_crds.base import ConditionStatus
from hydracore_crds.rollout import FINAL_STATES, RolloutState


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a rollout is.

    Attributes:
        state: Its state on the wire.
        reason: Reason of the conditions Progressing and Succeeded.
        message: Why, for people.
        progressing: Status of Progressing; stays True at the end (only the reason changes).
    """

    state: RolloutState
    reason: str
    message: str
    progressing: ConditionStatus = "True"

    @property
    def final(self) -> bool:
        """Whether nothing more happens but for a retry or late evidence."""
        return self.state in FINAL_STATES

    @property
    def succeeded(self) -> ConditionStatus:
        """Status of Succeeded: Unknown until it is finished."""
        if not self.final:
            return "Unknown"
        return "True" if self.state == "succeeded" else "False"
