"""The last known objects of one kind, kept right over re-lists, echoes and own writes.

Three sources feed a store in any order: watch events, lists, and the answers to own writes. What
counts is ``resourceVersion`` (comparable integers, one sequence for the whole cluster), so that
an old event never undoes a newer answer. Objects seen deleted are remembered by uid: a uid never
comes back, so a late list or answer cannot bring a ghost to life.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import structlog

from hydracore_crds import Resource

R = TypeVar("R", bound=Resource)
Subscriber = Callable[[R | None, R | None], None]

TOMBSTONES = 20_000
"""Deleted uids remembered; far more than can be deleted while one list is under way."""

log = structlog.get_logger(__name__)


def version(resource_version: str) -> int:
    """Return a resourceVersion as a number; 0 where there is none."""
    return int(resource_version) if resource_version.isdigit() else 0


class ObjectStore(Generic[R]):
    """Objects of one kind by key (``namespace/name``, or ``name``).

    Attributes:
        kind: The kind it holds.
        ready: Set once the first complete list is in.
    """

    def __init__(self, kind: type[R], *, index: Callable[[R], Hashable] | None = None) -> None:
        """Make an empty store.

        Args:
            kind: What it holds.
            index: From an object to a value by which :meth:`indexed` finds it; None: not at all.
        """
        self.kind = kind
        self._index = index
        self._indexed: dict[Hashable, dict[str, R]] = defaultdict(dict)
        self.ready = asyncio.Event()
        self._objects: dict[str, R] = {}
        self._by_namespace: dict[str, dict[str, R]] = defaultdict(dict)
        self._dead: OrderedDict[str, None] = OrderedDict()
        self._subscribers: list[Subscriber[R]] = []
        self._listed_at = 0

    # ---- reading ---------------------------------------------------------------------------
    def get(self, key: str) -> R | None:
        """Return the object, or None."""
        return self._objects.get(key)

    def held(self, metadata: Mapping[str, Any]) -> R | None:
        """Return the object if this very version of it, by its wire metadata, is held already."""
        namespace, name = metadata.get("namespace"), metadata.get("name")
        found = self._objects.get(f"{namespace}/{name}" if namespace else str(name))
        if found is None or found.metadata.uid != metadata.get("uid"):
            return None
        same = found.metadata.resource_version == metadata.get("resourceVersion")
        return found if same else None

    def in_namespace(self, namespace: str) -> list[R]:
        """Return the objects of a namespace, in no order."""
        return list(self._by_namespace.get(namespace, {}).values())

    def indexed(self, value: Hashable) -> list[R]:
        """Return the objects of which the index says this value, in no order."""
        return list(self._indexed.get(value, {}).values())

    def groups(self) -> Mapping[Any, Mapping[str, R]]:
        """Return all objects of which the index says anything: by that, then by key. Read only."""
        return self._indexed

    def all(self) -> list[R]:
        """Return every object, in no order."""
        return list(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    # ---- subscribing -----------------------------------------------------------------------
    def subscribe(self, callback: Subscriber[R]) -> Callable[[], None]:
        """Call ``callback(old, new)`` at each change from now on; None is absence.

        Returns:
            A function that ends the subscription.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    # ---- feeding ---------------------------------------------------------------------------
    def apply(self, event_type: str | None, obj: R) -> bool:
        """Take in a watch event; return whether it changed anything.

        Args:
            event_type: ``ADDED``, ``MODIFIED``, ``DELETED``, or None for an object of a list.
            obj: The object as the event carries it.
        """
        if event_type == "DELETED":
            return self.remove(obj.key, obj.metadata.uid)
        return self.upsert(obj)

    def upsert(self, obj: R) -> bool:
        """Take in an object unless a newer one is known or it was deleted.

        Returns:
            Whether the store changed.
        """
        if obj.metadata.uid in self._dead:
            return False
        old = self._objects.get(obj.key)
        if old is not None:
            mine, theirs = old.metadata.resource_version, obj.metadata.resource_version
            if version(theirs) < version(mine) or (theirs == mine and theirs):
                return False
        self._put(old, obj)
        return True

    def remove(self, key: str, uid: str) -> bool:
        """Forget an object that was deleted; a namesake with another uid stays.

        Returns:
            Whether the store changed.
        """
        self._bury(uid)
        old = self._objects.get(key)
        if old is None or (uid and old.metadata.uid != uid):
            return False
        self._drop(old)
        return True

    def replace(self, objs: Iterable[R], resource_version: str = "") -> set[str]:
        """Take in a complete list, ghosts out.

        Args:
            objs: The list.
            resource_version: The list's own version. What the store knows from after it stays,
                since the list could not know it. Without it, what the list lacks is dropped.

        Returns:
            Keys of what was added, changed or dropped.
        """
        listed_at = version(resource_version)
        # A restored etcd counts from an older version: then the list is the only truth.
        restored = 0 < listed_at < self._listed_at
        self._listed_at = listed_at or self._listed_at
        changed: set[str] = set()
        seen: set[str] = set()
        for obj in objs:
            seen.add(obj.key)
            if restored:
                old = self._objects.get(obj.key)
                if old is None or old.metadata.resource_version != obj.metadata.resource_version:
                    self._put(old, obj)
                    changed.add(obj.key)
            elif self.upsert(obj):
                changed.add(obj.key)
        for key, old in list(self._objects.items()):
            newer = listed_at and version(old.metadata.resource_version) > listed_at
            if key not in seen and (restored or not newer):
                self._bury(old.metadata.uid)
                self._drop(old)
                changed.add(key)
        self.ready.set()
        return changed

    # ---- inside ----------------------------------------------------------------------------
    def _put(self, old: R | None, obj: R) -> None:
        if old is not None and old.metadata.uid != obj.metadata.uid:
            self._bury(old.metadata.uid)
        self._objects[obj.key] = obj
        self._reindex(old, obj)
        if obj.metadata.namespace:
            self._by_namespace[obj.metadata.namespace][obj.key] = obj
        self._tell(old, obj)

    def _drop(self, old: R) -> None:
        del self._objects[old.key]
        self._reindex(old, None)
        namespace = old.metadata.namespace
        if namespace:
            group = self._by_namespace[namespace]
            group.pop(old.key, None)
            if not group:
                del self._by_namespace[namespace]
        self._tell(old, None)

    def _reindex(self, old: R | None, new: R | None) -> None:
        if self._index is None:
            return
        before = self._index(old) if old is not None else None
        after = self._index(new) if new is not None else None
        if old is not None and before is not None and before != after:
            group = self._indexed[before]
            group.pop(old.key, None)
            if not group:
                del self._indexed[before]
        if new is not None and after is not None:
            self._indexed[after][new.key] = new

    def _bury(self, uid: str) -> None:
        if uid:
            self._dead[uid] = None
            while len(self._dead) > TOMBSTONES:
                self._dead.popitem(last=False)

    def _tell(self, old: R | None, new: R | None) -> None:
        for callback in list(self._subscribers):
            try:
                callback(old, new)
            except Exception:
                obj: Any = new if new is not None else old
                log.exception("store_subscriber_failed", kind=self.kind.KIND.kind, key=obj.key)
