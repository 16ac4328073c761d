"""The runs that this process has begun under its present leadership."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hydracore_crds import Instance, InstanceAction


@dataclass
class Run:
    """One action that this process made ``running``.

    Attributes:
        uid: Of the InstanceAction.
        acknowledged: Who carries it out has said that it has it.
    """

    uid: str
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What a carrier needs to know of an action.

    Attributes:
        action: As it was read or written last; its ``deadline`` is set.
        instance: The Instance that it is for.
        epoch: The leadership under which this is done.
        now: The time.
    """

    action: InstanceAction
    instance: Instance
    epoch: int
    now: datetime

    @property
    def id(self) -> str:
        """The id by which it is carried out at most once: the object's uid."""
        return self.action.metadata.uid

    @property
    def deadline(self) -> datetime:
        """From then on it does not begin."""
        return self.action.status.deadline or self.now


class Runs:
    """All of them, by key of the action. What is not here was not begun by this process."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def begin(self, action: InstanceAction) -> Run:
        """Remember that this process made an action ``running``."""
        run = self._runs[action.key] = Run(action.metadata.uid)
        return run

    def of(self, action: InstanceAction) -> Run | None:
        """Return the run of this very object, if it is ours."""
        run = self._runs.get(action.key)
        return run if run is not None and run.uid == action.metadata.uid else None

    def end(self, key: str) -> None:
        """Forget a run."""
        self._runs.pop(key, None)


@dataclass(frozen=True, slots=True)
class Progress:
    """That an action is under way, as whoever carries it out says.

    Attributes:
        known: Whether they have it for sure.
    """

    known: bool = False
