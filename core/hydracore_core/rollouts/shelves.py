"""Targets sorted by their stored state."""

from __future__ import annotations

from dataclasses import dataclass, field

from hydracore_crds import RolloutTarget
from hydracore_crds.rollout import Counts

_STATES = ("queued", "in_progress", "succeeded", "failed", "uncertain", "cancelled")


@dataclass(slots=True, kw_only=True)
class Shelves:
    """Targets of one kind of one rollout: those that update, or those that take back.

    Attributes:
        queued: Targets by stored state; likewise the next five.
        waiting: Queued targets that this plan did not cancel.
    """

    queued: list[RolloutTarget] = field(default_factory=list)
    in_progress: list[RolloutTarget] = field(default_factory=list)
    succeeded: list[RolloutTarget] = field(default_factory=list)
    failed: list[RolloutTarget] = field(default_factory=list)
    uncertain: list[RolloutTarget] = field(default_factory=list)
    cancelled: list[RolloutTarget] = field(default_factory=list)
    waiting: list[RolloutTarget] = field(default_factory=list)

    @property
    def there(self) -> Counts:
        """The targets that are there, by stored state."""
        found = {state: len(getattr(self, state)) for state in _STATES}
        return Counts(total=sum(found.values()), **found)

    @property
    def working(self) -> bool:
        """Whether one of them is still to be run, or runs."""
        return bool(self.queued or self.in_progress)

    def all_targets(self) -> list[RolloutTarget]:
        """Return all of them, whatever their state."""
        return self.queued + self.in_progress + self.executed_targets() + self.cancelled

    def executed_targets(self) -> list[RolloutTarget]:
        """Return those that ran to an end."""
        return self.succeeded + self.failed + self.uncertain

    def by_state(self) -> dict[str | None, list[RolloutTarget]]:
        """Return the list for each stored state; a target without status is queued."""
        return {None: self.queued, **{state: getattr(self, state) for state in _STATES}}
