"""In-memory stand-ins for clock and API server, scriptable and counting.

``FakeKube`` keeps the API server's promises that the executor leans on: resourceVersion and uid
preconditions, generation, finalizers, merge semantics of status.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import uuid4

from hydracore_crds import Resource
from hydracore_crds.base import Wire
from hydracore_kube import AlreadyExists, Conflict, NotFound, ObjectStore, merge_diff

R = TypeVar("R", bound=Resource)
Hook = Callable[[str, str], Awaitable[None]]
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """Wall and monotonic time that moves only by hand; sleeping yields."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at
        self.elapsed = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.elapsed += seconds


class FakeKube:
    """An API server of objects in memory; every write reaches the subscribed stores as an event.

    Attributes:
        writes: Writes by ``verb plural``.
        before: Called with ``(verb, name)`` ahead of every write; may raise or change objects.
        after: Likewise once the write has happened: to lose its answer.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Any] = {}
        self.raw: dict[tuple[str, str], dict[str, Any]] = {}
        self.writes: Counter[str] = Counter()
        self.before: Hook | None = None
        self.after: Hook | None = None
        self.deaf = False
        self._versions = itertools.count(100)
        self._stores: list[ObjectStore[Any]] = []

    def subscribe(self, *stores: ObjectStore[Any]) -> None:
        self._stores.extend(stores)
        for store in stores:
            store.replace([obj for obj in self.objects.values() if type(obj) is store.kind])

    # ---- by a test's own hand --------------------------------------------------------------
    def put(self, obj: R) -> R:
        """Store an object as it is, as a person with every right would."""
        metadata = obj.metadata
        updates = {
            "uid": metadata.uid or str(uuid4()),
            "resource_version": str(next(self._versions)),
            "generation": max(1, metadata.generation),
            "creation_timestamp": metadata.creation_timestamp or START,
        }
        stored = obj.model_copy(update={"metadata": metadata.model_copy(update=updates)})
        self.objects[self._key(stored)] = stored
        self._tell("MODIFIED", stored)
        return stored

    def edit(self, obj: R, **spec: Any) -> R:
        """Change fields of the spec as kubectl would."""
        found = self.objects[self._key(obj)]
        metadata = found.metadata.model_copy(update={"generation": found.metadata.generation + 1})
        changed = {"spec": found.spec.model_copy(update=spec), "metadata": metadata}
        return cast("R", self.put(found.model_copy(update=changed)))

    def annotate(self, obj: R, **annotations: str) -> R:
        found = self.objects[self._key(obj)]
        merged = {**found.metadata.annotations, **annotations}
        metadata = found.metadata.model_copy(update={"annotations": merged})
        return cast("R", self.put(found.model_copy(update={"metadata": metadata})))

    def remove(self, obj: Resource) -> None:
        """Delete: at once without finalizers, else mark."""
        found = self.objects[self._key(obj)]
        if found.metadata.finalizers:
            metadata = found.metadata.model_copy(update={"deletion_timestamp": START})
            self.put(found.model_copy(update={"metadata": metadata}))
        else:
            del self.objects[self._key(obj)]
            self._tell("DELETED", found)

    def current(self, obj: R) -> R:
        return self.objects[self._key(obj)]  # type: ignore[no-any-return]

    def of(self, kind: type[R]) -> list[R]:
        return [obj for obj in self.objects.values() if type(obj) is kind]

    # ---- KubeClient's interface ------------------------------------------------------------
    async def get(self, kind: type[R], name: str, namespace: str | None = None) -> R:
        await asyncio.sleep(0)
        key = (kind.KIND.plural, f"{namespace}/{name}" if kind.KIND.namespaced else name)
        if key not in self.objects:
            raise NotFound(f"GET {key}: not found", status=404)
        return self.objects[key]  # type: ignore[no-any-return]

    async def list(
        self,
        kind: type[R],
        namespace: str | None = None,
        *,
        field_selector: str | None = None,
        **_: Any,
    ) -> tuple[list[R], str]:
        await asyncio.sleep(0)
        found = [obj for obj in self.of(kind) if namespace in (None, obj.metadata.namespace)]
        if field_selector is not None:
            wanted = field_selector.split("=", 1)[1]
            found = [obj for obj in found if obj.spec.rollout_name == wanted]  # type: ignore[attr-defined]
        return found, str(next(self._versions))

    async def create(self, obj: R) -> R:
        name = obj.metadata.name
        return cast("R", await self._write("create", obj.KIND.plural, name, self._create, obj))

    async def update_status(self, obj: R, new_status: Wire) -> R:
        difference = merge_diff(obj.status.to_wire(), new_status.to_wire())  # type: ignore[attr-defined]
        if not difference:
            return obj
        plural, name = obj.KIND.plural, obj.metadata.name
        answer = await self._write("status", plural, name, self._update_status, obj, new_status)
        return cast("R", answer)

    async def patch(
        self, kind: type[R], name: str, namespace: str | None, body: dict[str, Any]
    ) -> R:
        plural = kind.KIND.plural
        return cast(
            "R", await self._write("patch", plural, name, self._patch, kind, namespace, name, body)
        )

    async def set_finalizers(self, obj: R, finalizers: Sequence[str]) -> R:
        if obj.metadata.finalizers == [*finalizers]:
            return obj
        plural, name = obj.KIND.plural, obj.metadata.name
        answer = await self._write("finalizers", plural, name, self._finalizers, obj, finalizers)
        return cast("R", answer)

    async def delete(
        self,
        kind: type[Resource],
        name: str,
        namespace: str | None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        **_: Any,
    ) -> None:
        await self._write(
            "delete",
            kind.KIND.plural,
            name,
            self._delete,
            kind,
            name,
            namespace,
            uid,
            resource_version,
        )

    async def get_raw(self, place: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        found = self.raw.get((place[2], place[3]))
        if found is None:
            raise NotFound("not found", status=404)
        return found

    async def list_raw(self, place: Any, **_: Any) -> tuple[list[dict[str, Any]], str]:
        await asyncio.sleep(0)
        found = [body for (home, _), body in self.raw.items() if home == place.namespace]
        return found, str(next(self._versions))

    async def create_raw(self, place: Any, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        answer = await self._write("create", "configmaps", name, self._create_raw, place, body)
        return cast("dict[str, Any]", answer)

    async def replace_raw(self, place: Any, body: dict[str, Any]) -> dict[str, Any]:
        name = str(place[3])
        answer = await self._write("replace", "configmaps", name, self._replace_raw, place, body)
        return cast("dict[str, Any]", answer)

    async def delete_raw(self, place: Any) -> None:
        if self.raw.pop((place[2], place[3]), None) is None:
            raise NotFound("not found", status=404)

    # ---- inside ----------------------------------------------------------------------------
    async def _write(
        self, verb: str, plural: str, name: str, act: Callable[..., Any], *args: Any
    ) -> Any:
        await asyncio.sleep(0)
        if self.before is not None:
            await self.before(f"{verb} {plural}", name)
        answer = act(*args)
        self.writes[f"{verb} {plural}"] += 1
        if self.after is not None:
            await self.after(f"{verb} {plural}", name)
        return answer

    def _create(self, obj: Resource) -> Resource:
        if self._key(obj) in self.objects:
            raise AlreadyExists(f"{obj.key} exists", status=409)
        bare = type(obj).model_validate({**obj.to_wire(), "status": {}})
        return self.put(bare)

    def _checked(self, obj: R) -> R:
        found = self.objects.get(self._key(obj))
        if found is None:
            raise NotFound(f"{obj.key}: not found", status=404)
        same = found.metadata.uid == obj.metadata.uid
        if not same or found.metadata.resource_version != obj.metadata.resource_version:
            raise Conflict(f"{obj.key}: modified", status=409)
        return found  # type: ignore[no-any-return]

    def _update_status(self, obj: Any, new_status: Wire) -> Any:
        found = self._checked(obj)
        wire = {**found.to_wire(), "status": new_status.to_wire()}
        return self.put(type(obj).model_validate(wire))

    def _patch(
        self, kind: type[Resource], namespace: str | None, name: str, body: dict[str, Any]
    ) -> Resource:
        """Merge fields of the spec, with the preconditions that the body carries."""
        found = self.objects.get((kind.KIND.plural, f"{namespace}/{name}" if namespace else name))
        if found is None:
            raise NotFound(f"{name}: not found", status=404)
        wanted = body.get("metadata", {})
        has = {"uid": found.metadata.uid, "resourceVersion": found.metadata.resource_version}
        if any(has[key] != value for key, value in wanted.items()):
            raise Conflict(f"{name}: modified", status=409)
        wire = found.to_wire()
        changed = type(found).model_validate({**wire, "spec": {**wire["spec"], **body["spec"]}})
        raised = {"generation": found.metadata.generation + 1}
        metadata = changed.metadata.model_copy(update=raised)
        return self.put(cast("Resource", changed.model_copy(update={"metadata": metadata})))

    def _finalizers(self, obj: Any, finalizers: Sequence[str]) -> Any:
        found = self._checked(obj)
        metadata = found.metadata.model_copy(update={"finalizers": list(finalizers)})
        stored = self.put(found.model_copy(update={"metadata": metadata}))
        if stored.deleting and not finalizers:
            del self.objects[self._key(stored)]
            self._tell("DELETED", stored)
        return stored

    def _delete(
        self,
        kind: type[Resource],
        name: str,
        namespace: str | None,
        uid: str | None,
        version: str | None,
    ) -> None:
        found = self.objects.get((kind.KIND.plural, f"{namespace}/{name}" if namespace else name))
        if found is None:
            raise NotFound(f"{name}: not found", status=404)
        if uid not in (None, found.metadata.uid):
            raise Conflict(f"{name}: another uid", status=409)
        if version not in (None, found.metadata.resource_version):
            raise Conflict(f"{name}: modified", status=409)
        self.remove(found)

    def _create_raw(self, place: Any, body: dict[str, Any]) -> dict[str, Any]:
        key = (place[2], body["metadata"]["name"])
        if key in self.raw:
            raise AlreadyExists("exists", status=409)
        return self._store_raw(key, body)

    def _replace_raw(self, place: Any, body: dict[str, Any]) -> dict[str, Any]:
        key = (place[2], place[3])
        if key not in self.raw:
            raise NotFound("not found", status=404)
        if self.raw[key]["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("modified", status=409)
        return self._store_raw(key, body)

    def _store_raw(self, key: tuple[str, str], body: dict[str, Any]) -> dict[str, Any]:
        metadata = {**body["metadata"], "resourceVersion": str(next(self._versions))}
        self.raw[key] = {**body, "metadata": metadata}
        return self.raw[key]

    def _tell(self, event: str, obj: Any) -> None:
        if self.deaf:
            return
        for store in self._stores:
            if store.kind is type(obj):
                store.apply(event, obj)

    def _key(self, obj: Resource) -> tuple[str, str]:
        return (obj.KIND.plural, obj.key)
