"""What the archive needs to know of a kind. A kind is added by writing one of these for it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeVar

from hydracore_crds import Resource
from hydracore_crds.base import Wire
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_history import HistoryError
from hydracore_kube import ObjectStore

R = TypeVar("R", bound=Resource)

MAKERS = frozenset({"api", "operator"})
"""Values of the label that says who made an object: these are removed, all others stay."""


def made_here(obj: Resource) -> bool:
    """Whether REST or the operator made an object, not a person or Git."""
    return obj.metadata.labels.get(MANAGED_BY_LABEL) in MAKERS


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

    def surplus(self, obj: R) -> bool:
        """Whether as many newer ones of its tenant have ended as are kept in the cluster.

        Only those that REST or the operator made are asked about, and only they count.
        """
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
