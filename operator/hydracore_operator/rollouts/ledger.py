"""The tenant's slots: one ConfigMap, written by compare-and-swap only.

Neither two rollouts nor two operators that both believe to lead can have more targets in flight
than the limit: every claim is checked against the very content that the write replaces, and the
API server refuses the write when that content is no longer the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import structlog

from hydracore_core.rollouts.model import Slot
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import AlreadyExists, Conflict, KubeError, NotFound
from hydracore_operator.rollouts.entries import Changed, Entry, change, decode, encode, slots

LEDGER_PREFIX = "slots-"
NAMESPACE_ANNOTATION = "hydracore.io/tenant-namespace"
"""On a ledger: the namespace it is for, for people."""

log = structlog.get_logger(__name__)


class RawClient(Protocol):
    """The part of KubeClient that the ledger needs."""

    async def get_raw(self, place: Any) -> dict[str, Any]:
        """Read an object."""

    async def create_raw(self, place: Any, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object in a collection."""

    async def replace_raw(self, place: Any, body: dict[str, Any]) -> dict[str, Any]:
        """Replace an object; its resourceVersion is the precondition."""

    async def delete_raw(self, place: Any) -> None:
        """Delete an object."""


class LedgerMovedError(Exception):
    """Somebody else wrote the ledger: it was read again, so plan again."""


class UnreadableLedgerError(ValueError):
    """A ledger that somebody has edited; nothing of its tenant starts until it is repaired."""


def ledger_name(namespace_uid: str) -> str:
    """Return the name of a tenant's ledger; a namespace of the same name inherits nothing."""
    return f"{LEDGER_PREFIX}{namespace_uid}"


class Ledger:
    """One tenant's ledger as the API server last acknowledged it.

    Attributes:
        loaded: Whether the content is known; False at first and after a write whose outcome is
            unknown. Until :meth:`load` has run nothing may be read or written.
        doubtful: Task ids claimed by a write whose outcome is unknown. No order went out for
            them, so they can be freed wherever they turn up.
    """

    def __init__(
        self, kube: RawClient, *, operator_namespace: str, namespace: str, namespace_uid: str
    ) -> None:
        """Take the client, where ledgers are, and whose ledger this is."""
        self._kube = kube
        self._home = operator_namespace
        self._name = ledger_name(namespace_uid)
        self._namespace = namespace
        self._version = ""
        self._data: dict[str, str] = {}
        self._entries: dict[str, Entry] = {}
        self.loaded = False
        self.doubtful: set[str] = set()

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The acknowledged entries by task id."""
        return self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def slots(self, *, without: Collection[str] = ()) -> tuple[Slot, ...]:
        """Return the acknowledged entries as the plan reads them."""
        return slots(self._entries, without=without)

    async def load(self) -> None:
        """Read the ledger afresh. One that does not exist is empty.

        Raises:
            KubeError: The API server cannot be asked.
            UnreadableLedgerError: An entry cannot be read; see :func:`entries.decode`.
        """
        self.loaded = False
        try:
            found = await self._kube.get_raw(self._place(self._name))
        except NotFound:
            self._version, self._data, self._entries = "", {}, {}
        else:
            try:
                self._take(found)
            except ValueError as error:
                place = f"ConfigMap {self._home}/{self._name}"
                text = f"{place} (slots of namespace {self._namespace!r}): {error}"
                raise UnreadableLedgerError(text) from error
        self.loaded = True

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
            limit: How many entries there may be after a claim.

        Returns:
            What is stored now and which claims were refused.

        Raises:
            LedgerMovedError: Another writer was faster; the new content is loaded.
            KubeError: Not written, or (Unavailable) unknown; then ``loaded`` is False.
        """
        wanted = change(
            self._entries, claims=claims, frees=set(frees), adopts=adopts or {}, limit=limit
        )
        if wanted.entries.keys() != self._entries.keys():
            await self._swap(wanted, claims)
        return wanted

    async def remove(self) -> None:
        """Delete the ledger of a namespace that is gone."""
        try:
            await self._kube.delete_raw(self._place(self._name))
        except NotFound:
            log.debug("ledger_already_gone", namespace=self._namespace)
        self.loaded = False

    async def _swap(self, wanted: Changed, claims: Mapping[str, Entry]) -> None:
        data = encode(wanted.entries, self._data)
        try:
            answer = await self._store(data)
        except (Conflict, AlreadyExists, NotFound) as error:
            await self.load()
            raise LedgerMovedError(f"the ledger of {self._namespace!r} has moved") from error
        except KubeError:
            self.loaded = False
            self.doubtful.update(claims)
            raise
        self._take(answer)

    async def _store(self, data: dict[str, str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self._name,
                "namespace": self._home,
                "labels": {MANAGED_BY_LABEL: "operator"},
                "annotations": {NAMESPACE_ANNOTATION: self._namespace},
            },
            "data": data,
        }
        if not self._version:
            return await self._kube.create_raw(self._place(None), body)
        body["metadata"]["resourceVersion"] = self._version
        return await self._kube.replace_raw(self._place(self._name), body)

    def _take(self, found: dict[str, Any]) -> None:
        data = dict(found.get("data") or {})
        fresh = {task: text for task, text in data.items() if self._data.get(task) != text}
        known = {task: self._entries[task] for task in data if task not in fresh}
        self._entries = known | decode(fresh)
        self._data = data
        self._version = str(found["metadata"]["resourceVersion"])

    def _place(self, name: str | None) -> tuple[str, str, str | None, str | None]:
        return ("v1", "configmaps", self._home, name)
