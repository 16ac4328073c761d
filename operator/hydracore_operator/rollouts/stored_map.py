"""One ConfigMap that is only ever replaced as it was read: what both ledgers are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import AlreadyExists, Conflict, NotFound

WRITES_ANNOTATION = "hydracore.io/writes"
"""A count that rises with writes that must not leave the content as it was."""


class RawClient(Protocol):
    """The part of KubeClient that ledgers need."""

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
    """A ledger that somebody has edited; nothing starts by it until it is repaired."""


class StoredMap:
    """A ConfigMap as the API server last acknowledged it.

    Attributes:
        name: Its name, in the operator's namespace.
        data: Its data.
        annotations: Its annotations.
        loaded: Whether these are known; False at first, after a write whose outcome is unknown, and
            after one that somebody else was faster than.
    """

    def __init__(self, kube: RawClient, *, home: str, name: str) -> None:
        """Take the client, the operator's namespace, and the ConfigMap's name."""
        self._kube = kube
        self._home = home
        self._version = ""
        self.name = name
        self.data: Mapping[str, str] = {}
        self.annotations: Mapping[str, str] = {}
        self.loaded = False

    @property
    def place(self) -> str:
        """How people find it."""
        return f"ConfigMap {self._home}/{self.name}"

    async def load(self) -> None:
        """Read it afresh. One that does not exist is empty.

        Raises:
            KubeError: The API server cannot be asked.
        """
        self.loaded = False
        try:
            found = await self._kube.get_raw(self._at(self.name))
        except NotFound:
            self._version, self.data, self.annotations = "", {}, {}
            self.loaded = True
        else:
            self.take(found)

    def take(self, found: Mapping[str, Any]) -> None:
        """Take the content of an object that the API server has just answered with."""
        metadata = found["metadata"]
        self.data = dict(found.get("data") or {})
        self.annotations = dict(metadata.get("annotations") or {})
        self._version = str(metadata["resourceVersion"])
        self.loaded = True

    async def swap(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> None:
        """Put this content in the place of the content that is known.

        Raises:
            LedgerMovedError: That is not the newest any more.
            KubeError: Not written, or (Unavailable) unknown. After either it has to be loaded.
        """
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self._home,
                "labels": {MANAGED_BY_LABEL: "operator"},
                "annotations": dict(annotations),
            },
            "data": dict(data),
        }
        self.loaded = False
        try:
            self.take(await self._store(body))
        except (Conflict, AlreadyExists, NotFound) as error:
            raise LedgerMovedError(f"{self.place} has moved") from error

    async def remove(self) -> None:
        """Delete it; one that is gone is fine.

        Raises:
            KubeError: The API server refuses or cannot be asked.
        """
        self.loaded = False
        try:
            await self._kube.delete_raw(self._at(self.name))
        except NotFound:
            return

    async def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        if not self._version:
            return await self._kube.create_raw(self._at(None), body)
        body["metadata"]["resourceVersion"] = self._version
        return await self._kube.replace_raw(self._at(self.name), body)

    def _at(self, name: str | None) -> tuple[str, str, str | None, str | None]:
        return ("v1", "configmaps", self._home, name)
