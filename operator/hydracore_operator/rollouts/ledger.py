"""The tenant's slots: one ConfigMap, written by compare-and-swap only.

Neither two rollouts nor two operators that both believe to lead can have more targets in flight
than the limit: every claim is checked against the very content that the write replaces, and the
API server refuses the write when that content is no longer the newest. What the platform grants the
tenant (:mod:`hydracore_operator.rollouts.cap`) stands on that content too, so it binds them alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hydracore_core.rollouts.model import Slot
from hydracore_kube import KubeError
from hydracore_operator.rollouts.entries import Changed, Entry, change, decode, encode, slots
from hydracore_operator.rollouts.grants import GRANT_ANNOTATION, Grant, grant_of
from hydracore_operator.rollouts.stored_map import (
    WRITES_ANNOTATION,
    LedgerMovedError,
    RawClient,
    StoredMap,
    UnreadableLedgerError,
)

LEDGER_PREFIX = "slots-"
NAMESPACE_ANNOTATION = "hydracore.io/tenant-namespace"
"""On a ledger: the namespace it is for, for people."""

__all__ = ["Ledger", "LedgerMovedError", "RawClient", "UnreadableLedgerError", "ledger_name"]


def ledger_name(namespace_uid: str) -> str:
    """Return the name of a tenant's ledger; a namespace of the same name inherits nothing."""
    return f"{LEDGER_PREFIX}{namespace_uid}"


class Ledger:
    """One tenant's ledger as the API server last acknowledged it.

    Attributes:
        doubtful: Task ids claimed by a write whose outcome is unknown. No order went out for
            them, so they can be freed wherever they turn up.
        grant: How many entries the platform allows; None where it has no cap.
        claimed: How many slots were claimed here so far.
    """

    def __init__(
        self, kube: RawClient, *, operator_namespace: str, namespace: str, namespace_uid: str
    ) -> None:
        """Take the client, where ledgers are, and whose ledger this is."""
        self._map = StoredMap(kube, home=operator_namespace, name=ledger_name(namespace_uid))
        self._namespace = namespace
        self._data: Mapping[str, str] = {}
        self._entries: dict[str, Entry] = {}
        self._read = False
        self._regrants = 0
        self.grant: Grant | None = None
        self.doubtful: set[str] = set()
        self.claimed = 0

    @property
    def loaded(self) -> bool:
        """Whether the content is known; False at first and after a write of unknown outcome.

        Until :meth:`load` has run nothing may be read or written.
        """
        return self._read and self._map.loaded

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The acknowledged entries by task id."""
        return self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def bounded(self, limit: int) -> int:
        """Return how many entries there may be: what the tenant's limit and the grant allow."""
        return limit if self.grant is None else min(limit, self.grant.slots)

    def slots(self, *, without: Collection[str] = ()) -> tuple[Slot, ...]:
        """Return the acknowledged entries as the plan reads them."""
        return slots(self._entries, without=without)

    async def load(self) -> None:
        """Read the ledger afresh. One that does not exist is empty.

        Raises:
            KubeError: The API server cannot be asked.
            UnreadableLedgerError: An entry or the grant cannot be read; see
                :func:`entries.decode`.
        """
        self._read = False
        await self._map.load()
        try:
            self._take()
        except ValueError as error:
            text = f"{self._map.place} (slots of namespace {self._namespace!r}): {error}"
            raise UnreadableLedgerError(text) from error

    async def write(
        self,
        *,
        claims: Mapping[str, Entry],
        frees: Collection[str] = (),
        adopts: Mapping[str, Entry] | None = None,
        limit: int,
    ) -> Changed:
        """Claim, adopt and free in one write; nothing is written where nothing changes.

        Args:
            claims: Slots wanted for orders that have not gone out.
            frees: Task ids that need no slot any more; unknown ones are fine.
            adopts: Orders that are out already and stand nowhere.
            limit: How many entries there may be after a claim, if the grant allows as many.

        Returns:
            What is stored now and which claims were refused.

        Raises:
            LedgerMovedError: Another writer was faster; the new content is loaded.
            KubeError: Not written, or (Unavailable) unknown; then ``loaded`` is False.
        """
        wanted = change(
            self._entries,
            claims=claims,
            frees=set(frees),
            adopts=adopts or {},
            limit=self.bounded(limit),
        )
        if wanted.entries.keys() != self._entries.keys():
            await self._swap(wanted.entries, self.grant, claims)
            self.claimed += len(claims.keys() & wanted.entries.keys())
        return wanted

    async def regrant(self, grant: Grant | None, *, frees: Collection[str] = ()) -> None:
        """Write what the platform grants, or that it has no cap, and free slots with it.

        Always a write, also where nothing changes: one that was made before, and is only carried
        out now, fails from then on.

        Raises:
            LedgerMovedError, KubeError: See :meth:`write`.
        """
        left = {task: entry for task, entry in self._entries.items() if task not in frees}
        self._regrants += 1
        await self._swap(left, grant, {})

    async def remove(self) -> None:
        """Delete the ledger of a namespace that is gone."""
        await self._map.remove()

    async def _swap(
        self, entries: Mapping[str, Entry], grant: Grant | None, claims: Mapping[str, Entry]
    ) -> None:
        annotations = {NAMESPACE_ANNOTATION: self._namespace}
        if grant is not None:
            annotations[GRANT_ANNOTATION] = grant.to_text()
            annotations[WRITES_ANNOTATION] = str(self._regrants)
        try:
            await self._map.swap(encode(entries, self._data), annotations)
        except LedgerMovedError:
            await self.load()
            raise
        except KubeError:
            self.doubtful.update(claims)
            raise
        self._take()

    def _take(self) -> None:
        data = self._map.data
        fresh = {task: text for task, text in data.items() if self._data.get(task) != text}
        known = {task: self._entries[task] for task in data if task not in fresh}
        entries, self.grant = known | decode(fresh), grant_of(self._map.annotations)
        self._regrants = int(self._map.annotations.get(WRITES_ANNOTATION, "0"))
        self._entries, self._data = entries, data
        self._read = True
