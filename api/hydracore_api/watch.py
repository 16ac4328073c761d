"""The watch cache: every kind that REST reads, kept right by reflectors, with its indexes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hydracore_crds import (
    Bundle,
    Instance,
    InstanceAction,
    InstanceClass,
    PlatformPolicy,
    Resource,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_kube import KubeClient, Namespace, ObjectStore, Reflector

R = TypeVar("R", bound=Resource)

STALE_SECONDS = 180.0
"""A watch without sign of life for so long is taken for dead (bookmarks come every minute)."""


class Index(Generic[R]):
    """Objects of a store by a value of theirs, within their namespace."""

    def __init__(self, store: ObjectStore[R], value: Callable[[R], str]) -> None:
        self._value = value
        self._found: dict[tuple[str, str], dict[str, R]] = defaultdict(dict)
        store.subscribe(self._changed)

    def get(self, namespace: str, value: str) -> list[R]:
        """Return the objects of a namespace that have this value."""
        return list(self._found.get((namespace, value), {}).values())

    def one(self, namespace: str, value: str) -> R | None:
        """Return an object of a namespace that has this value, or None."""
        return next(iter(self._found.get((namespace, value), {}).values()), None)

    def _changed(self, old: R | None, new: R | None) -> None:
        if old is not None:
            key = self._key(old)
            self._found[key].pop(old.key, None)
            if not self._found[key]:
                del self._found[key]
        if new is not None:
            self._found[self._key(new)][new.key] = new

    def _key(self, obj: R) -> tuple[str, str]:
        return obj.metadata.namespace or "", self._value(obj)


def instance_id(instance: Instance) -> str:
    """Return an instance's id in REST; the operator will give it this one where it has none."""
    return instance.spec.id or instance.metadata.uid


class Holders:
    """Instances by their id. Only one may hold an id, whatever tenants write into ``spec.id``."""

    def __init__(self, store: ObjectStore[Instance]) -> None:
        self._claims: dict[str, dict[str, Instance]] = defaultdict(dict)
        store.subscribe(self._changed)

    def one(self, namespace: str, id_: str) -> Instance | None:
        """Return the holder of an id if it is of this namespace, or None."""
        claims = self._claims.get(id_)
        if not claims:
            return None
        one = next(iter(claims.values()))
        holder = one if len(claims) == 1 else min(claims.values(), key=_seniority)
        return holder if holder.metadata.namespace == namespace else None

    def _changed(self, old: Instance | None, new: Instance | None) -> None:
        if old is not None:
            claims = self._claims[instance_id(old)]
            claims.pop(old.key, None)
            if not claims:
                del self._claims[instance_id(old)]
        if new is not None:
            self._claims[instance_id(new)][new.key] = new


def _seniority(instance: Instance) -> tuple[bool, str, str]:
    """Order the claims to one id as the operator does: who has a server, then who is older."""
    provider, created = instance.status.provider, instance.metadata.creation_timestamp
    return (
        provider is None or provider.server_id is None,
        created.isoformat() if created else "",
        instance.metadata.uid,
    )


class WatchCache:
    """Stores, indexes and the reflectors that feed them."""

    def __init__(self) -> None:
        self.instances = ObjectStore(Instance)
        self.actions = ObjectStore(InstanceAction)
        self.rollouts = ObjectStore(Rollout)
        self.targets = ObjectStore(RolloutTarget)
        self.platform = ObjectStore(PlatformPolicy)
        self.policies = ObjectStore(UpdatePolicy)
        self.bundles = ObjectStore(Bundle)
        self.classes = ObjectStore(InstanceClass)
        self.namespaces = ObjectStore(Namespace)
        self.instance_by_id = Holders(self.instances)
        self.rollout_by_id = Index(self.rollouts, lambda r: r.metadata.uid)
        self.targets_by_rollout = Index(self.targets, lambda t: t.spec.rollout_name)
        self.targets_by_instance = Index(self.targets, lambda t: t.spec.instance_id)
        self._reflectors: dict[str, Reflector[Any]] = {}
        self._ready = False

    @property
    def stores(self) -> tuple[ObjectStore[Any], ...]:
        """All stores."""
        return (
            self.namespaces,
            self.classes,
            self.bundles,
            self.platform,
            self.policies,
            self.instances,
            self.actions,
            self.rollouts,
            self.targets,
        )

    @property
    def ready(self) -> bool:
        """Whether every kind was listed once."""
        self._ready = self._ready or all(store.ready.is_set() for store in self.stores)
        return self._ready

    def ages(self) -> dict[str, float]:
        """Return the seconds since each kind's watch last showed life; infinite before that."""
        return {kind: reflector.age() for kind, reflector in self._reflectors.items()}

    async def run(self, kube: KubeClient) -> None:
        """Feed the stores until cancelled."""
        self._reflectors = {store.kind.KIND.kind: Reflector(kube, store) for store in self.stores}
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors.values():
                group.create_task(reflector.run())

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition on what is cached holds; False if the time runs out."""
        changed = asyncio.Event()
        ends = [store.subscribe(lambda _old, _new: changed.set()) for store in self.stores]
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            return False
        finally:
            for end in ends:
                end()
        return True
