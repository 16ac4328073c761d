"""An API server in memory: versions, preconditions, merge patches and finalizers, as the real one.

It feeds a watch cache at once, as a watch without lag would. It knows no schemas and no rights:
what depends on those is tested against the real one.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any, TypeVar

from hydracore_api.watch import WatchCache
from hydracore_crds import Resource, Rollout
from hydracore_crds.base import format_time
from hydracore_kube import AlreadyExists, Conflict, NotFound
from hydracore_kube.paths import Where

R = TypeVar("R", bound=Resource)


class FakeKube:
    def __init__(self, cache: WatchCache) -> None:
        self.cache = cache
        self.objects: dict[tuple[str, str | None, str], dict[str, Any]] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.fail: list[Exception] = []
        self.before_patch: list[Any] = []
        self.before_delete: list[Any] = []
        self._versions = itertools.count(1)
        self._stores = {store.kind.KIND.kind: store for store in cache.stores}
        for store in cache.stores:
            store.replace([])

    # ---- what the API calls ----------------------------------------------------------------
    async def get(self, kind: type[R], name: str, namespace: str | None = None) -> R:
        self._called("get", kind, name)
        return kind.model_validate(self._find(kind, name, namespace))

    async def create(self, obj: R) -> R:
        self._called("create", type(obj), obj.metadata.name)
        return self.put(obj)

    async def create_raw(
        self, place: Where, body: dict[str, Any], *, strict: bool, dry_run: bool
    ) -> dict[str, Any]:
        """Dry runs of Rollouts only, since nothing else is created raw."""
        assert strict
        assert dry_run
        assert place.plural == Rollout.KIND.plural
        self._called("dry run", Rollout, body["metadata"]["name"])
        return Rollout.model_validate(body).to_wire()

    async def patch(
        self, kind: type[R], name: str, namespace: str | None, body: dict[str, Any], **_: Any
    ) -> R:
        self._called("patch", kind, name)
        if self.before_patch:
            self.before_patch.pop(0)()
        stored = self._find(kind, name, namespace)
        metadata = body.get("metadata", {})
        for field in ("uid", "resourceVersion"):
            if field in metadata and metadata[field] != stored["metadata"][field]:
                raise Conflict(f"{name}: {field} differs", status=409, reason="Conflict")
        return self.change(kind, name, namespace, body)

    async def delete(
        self,
        kind: type[R],
        name: str,
        namespace: str | None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        self._called("delete", kind, name)
        if self.before_delete:
            self.before_delete.pop(0)()
        stored = self._find(kind, name, namespace)
        for field, wanted in (("uid", uid), ("resourceVersion", resource_version)):
            if wanted is not None and stored["metadata"][field] != wanted:
                raise Conflict(f"{name}: {field} differs", status=409, reason="Conflict")
        if stored["metadata"].get("finalizers"):
            now = format_time(datetime.now(UTC))
            self.change(kind, name, namespace, {"metadata": {"deletionTimestamp": now}})
        else:
            self.drop(kind, name, namespace)

    async def close(self) -> None:
        pass

    # ---- what tests do by hand -------------------------------------------------------------
    def put(self, obj: R) -> R:
        key = (type(obj).KIND.kind, obj.metadata.namespace, obj.metadata.name)
        if key in self.objects:
            raise AlreadyExists(f"{key} exists", status=409, reason="AlreadyExists")
        wire = obj.to_wire()
        created = obj.metadata.creation_timestamp or datetime.now(UTC)
        wire["metadata"].update(
            uid=obj.metadata.uid or str(uuid.uuid4()),
            resourceVersion=str(next(self._versions)),
            generation=1,
            creationTimestamp=format_time(created),
        )
        self.objects[key] = wire
        return self._tell(type(obj), wire)

    def change(self, kind: type[R], name: str, namespace: str | None, body: dict[str, Any]) -> R:
        stored = self._find(kind, name, namespace)
        before = stored.get("spec")
        merged = merge(stored, body)
        merged["metadata"].update(
            uid=stored["metadata"]["uid"], resourceVersion=str(next(self._versions))
        )
        if merged.get("spec") != before:
            merged["metadata"]["generation"] += 1
        self.objects[(kind.KIND.kind, namespace, name)] = merged
        return self._tell(kind, merged)

    def drop(self, kind: type[R], name: str, namespace: str | None) -> None:
        wire = self.objects.pop((kind.KIND.kind, namespace, name))
        obj = kind.model_validate(wire)
        self._stores[kind.KIND.kind].remove(obj.key, obj.metadata.uid)

    def of(self, kind: type[R]) -> list[R]:
        return [
            kind.model_validate(w) for key, w in self.objects.items() if key[0] == kind.KIND.kind
        ]

    def called(self, verb: str, kind: type[Resource]) -> int:
        return sum(1 for call in self.calls if call[:2] == (verb, kind.KIND.kind))

    def _find(self, kind: type[Resource], name: str, namespace: str | None) -> dict[str, Any]:
        found = self.objects.get((kind.KIND.kind, namespace, name))
        if found is None:
            raise NotFound(f"{name} not found", status=404, reason="NotFound")
        return found

    def _called(self, verb: str, kind: type[Resource], name: str) -> None:
        self.calls.append((verb, kind.KIND.kind, name))
        if self.fail:
            raise self.fail.pop(0)

    def _tell(self, kind: type[R], wire: dict[str, Any]) -> R:
        obj = kind.model_validate(wire)
        self._stores[kind.KIND.kind].upsert(obj)
        return obj


def merge(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
