"""The platform's slots: how many of them each tenant holds, in one ConfigMap.

What is allotted to a tenant is never less than the grant and the entries on the tenant's own ledger
(:mod:`hydracore_operator.rollouts.cap` says why), and together never more than the cap, but for
orders that were out before there was one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hydracore_operator.rollouts.stored_map import (
    WRITES_ANNOTATION,
    RawClient,
    StoredMap,
    UnreadableLedgerError,
)

PLATFORM_LEDGER = "platform-slots"
EPOCH_ANNOTATION = "hydracore.io/epoch"
"""On the platform's ledger: the epoch of the leader that wrote it last."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """What one tenant holds.

    Attributes:
        namespace: The tenant's namespace, for people and to wake it.
        slots: How many.
    """

    namespace: str
    slots: int


class Allotments:
    """The platform's ledger as the API server last acknowledged it."""

    def __init__(self, kube: RawClient, *, operator_namespace: str) -> None:
        """Take the client, and where ledgers are."""
        self._map = StoredMap(kube, home=operator_namespace, name=PLATFORM_LEDGER)
        self._tenants: dict[str, Allotment] = {}
        self._writes = 0
        self.epoch = 0

    @property
    def loaded(self) -> bool:
        """Whether the content is known."""
        return self._map.loaded

    @property
    def tenants(self) -> Mapping[str, Allotment]:
        """What is allotted, by ``metadata.uid`` of the tenants' namespaces."""
        return self._tenants

    @property
    def total(self) -> int:
        """How many slots are allotted."""
        return sum(found.slots for found in self._tenants.values())

    def slots(self, uid: str) -> int:
        """Return what a tenant holds."""
        found = self._tenants.get(uid)
        return 0 if found is None else found.slots

    async def load(self) -> None:
        """Read it afresh.

        Raises:
            KubeError: The API server cannot be asked.
            UnreadableLedgerError: It is not what is written here.
        """
        await self._map.load()
        self._take()

    async def allot(self, changes: Mapping[str, Allotment], *, epoch: int) -> None:
        """Change what tenants hold. Always a write, also where nothing changes.

        Args:
            changes: By namespace uid; those with no slots are left out from then on.
            epoch: The writer's leadership.

        Raises:
            LedgerMovedError: Another writer was faster.
            KubeError: Not written, or (Unavailable) unknown. After either it has to be loaded.
        """
        wanted = {u: a for u, a in {**self._tenants, **changes}.items() if a.slots > 0}
        data = {
            uid: json.dumps({"namespace": found.namespace, "slots": found.slots})
            for uid, found in sorted(wanted.items())
        }
        notes = {EPOCH_ANNOTATION: str(epoch), WRITES_ANNOTATION: str(self._writes + 1)}
        await self._map.swap(data, notes)
        self._take()

    def _take(self) -> None:
        notes = self._map.annotations
        try:
            tenants = {uid: _decode(text) for uid, text in self._map.data.items()}
            epoch = int(notes.get(EPOCH_ANNOTATION, "0"))
            writes = int(notes.get(WRITES_ANNOTATION, "0"))
        except (ValueError, KeyError, TypeError) as error:
            self._map.loaded = False
            raise UnreadableLedgerError(
                f"{self._map.place} (slots of the platform) cannot be read: {error!r}; "
                "delete it by hand, it is made anew from the tenants' ledgers"
            ) from error
        self._tenants, self.epoch, self._writes = tenants, epoch, writes


def _decode(text: str) -> Allotment:
    found = json.loads(text)
    slots = found["slots"]
    if not isinstance(slots, int) or slots < 0:
        raise ValueError(f"slots: {slots!r}")
    return Allotment(str(found["namespace"]), slots)
