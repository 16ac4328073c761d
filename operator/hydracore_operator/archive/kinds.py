"""What the archive needs to know of a kind. A kind is added by writing one of these for it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeVar

from hydracore_crds import Resource
from hydracore_crds.base import Wire
from hydracore_history import HistoryError
from hydracore_kube import ObjectStore

R = TypeVar("R", bound=Resource)


class NotKeptError(HistoryError):
    """History took an object in, but what it reads back is another: nothing may be removed."""


class Archivable(Protocol[R]):
    """How one kind is archived. All of it can be repeated."""

    @property
    def store(self) -> ObjectStore[R]:
        """The last known objects."""
        ...

    def ended_at(self, obj: R) -> datetime | None:
        """Return when it came to its end; None while it has not."""
        ...

    def needed(self, obj: R) -> str | None:
        """Return why it must stay although its time to live is over; None if nothing needs it."""
        ...

    async def known(self, obj: R) -> bool:
        """Whether history's newest revision is this object. A cheap look, to save a write.

        Raises:
            HistoryUnavailable: It is locked or away.
        """
        ...

    async def save(self, obj: R) -> None:
        """Store it, with all that goes with it, and see by reading back that it is there.

        Raises:
            HistoryUnavailable: It is locked or away.
            NotKeptError: What was read back is something else.
            NotFound: It is gone from the cluster already.
            KubeError: What goes with it could not be listed.
        """
        ...

    def waiting(self, obj: R, message: str, now: datetime) -> Wire | None:
        """Return the status that says why its removal waits; None where it says so already."""
        ...
