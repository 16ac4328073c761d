"""Good objects of every kind, and a door to the real API server that reports refusals."""

from __future__ import annotations

import copy
import secrets
from typing import Any

import pytest

from hydracore_devcluster.client import Api, ApiError

JSON = dict[str, Any]
GROUP_PATH = "/apis/hydracore.io/v1alpha1"
SHA = "ab" * 32
OTHER_SHA = "cd" * 32
SIGNATURE = "A" * 86 + "=="
UUID = "7f1c1f5e-2f0b-4c1e-9a51-0c8f1c5d2e77"
OTHER_UUID = "7f1c1f5e-2f0b-4c1e-9a51-0c8f1c5d2e78"
NOW = "2025-01-02T03:04:05.000Z"
MERGE = "application/merge-patch+json"


def unique(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{secrets.token_hex(4)}"


def make(kind: str, name: str, spec: JSON, namespace: str | None = None) -> JSON:
    """Return an object as it goes over the wire."""
    metadata: JSON = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def changed(obj: JSON, path: str, value: Any) -> JSON:
    """Return a copy with the field at a dotted path set, or removed when the value is None."""
    out = copy.deepcopy(obj)
    *parents, last = path.split(".")
    node = out
    for part in parents:
        node = node.setdefault(part, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = value
    return out


def condition(type_: str = "Ready", **fields: Any) -> JSON:
    """Return a good condition with some fields changed."""
    good = {"type": type_, "status": "True", "reason": "Verified", "lastTransitionTime": NOW}
    return {**good, "message": "", **fields}


class Door:
    """One kind at the API server."""

    def __init__(self, api: Api, plural: str, namespace: str | None = None) -> None:
        self._api = api
        inside = f"/namespaces/{namespace}" if namespace else ""
        self.path = f"{GROUP_PATH}{inside}/{plural}"
        self._created: list[str] = []

    async def check(self, obj: JSON) -> JSON:
        """Validate without storing; return the object with its defaults."""
        return await self._api.json("POST", f"{self.path}?dryRun=All&fieldValidation=Strict", obj)

    async def create(self, obj: JSON) -> JSON:
        """Store the object until the test ends."""
        stored = await self._api.json("POST", self.path, obj)
        self._created.append(stored["metadata"]["name"])
        return stored

    async def patch(self, name: str, body: JSON, *, status: bool = False) -> JSON:
        """Merge-patch the object or its status."""
        path = f"{self.path}/{name}" + ("/status" if status else "")
        return await self._api.json("PATCH", path, body, content_type=MERGE)

    async def clear(self) -> None:
        """Delete what was created here."""
        while self._created:
            await self._api.json("DELETE", f"{self.path}/{self._created.pop()}")

    async def refuses(self, obj: JSON, *texts: str) -> None:
        """Require that creating is refused as invalid, with these texts in the message."""
        with pytest.raises(ApiError) as caught:
            await self.check(obj)
        _require(caught.value, texts)

    async def refuses_patch(self, name: str, body: JSON, *texts: str, status: bool = False) -> None:
        """Require that a patch is refused as invalid, with these texts in the message."""
        with pytest.raises(ApiError) as caught:
            await self.patch(name, body, status=status)
        _require(caught.value, texts)


def _require(error: ApiError, texts: tuple[str, ...]) -> None:
    assert error.status == 422, str(error)
    for text in texts:
        assert text in str(error)
