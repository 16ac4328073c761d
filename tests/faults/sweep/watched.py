"""What a bystander sees of one namespace: every change, whether a terminal state changed, quiet."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self

from hydracore_crds import (
    Instance,
    InstanceAction,
    Resource,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_kube import KubeClient, ObjectStore, Reflector
from tests.faults.waiting import until

STAYS = frozenset({"succeeded", "failed", "cancelled"})
KINDS: tuple[type[Resource], ...] = (
    Instance,
    InstanceAction,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
READY_SECONDS = 10.0


class Watched:
    """Watches of a namespace, apart from the operator's; ``async with Watched(...)``."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self.broken: list[str] = []
        self._changes: list[tuple[float, str]] = []
        stores: list[ObjectStore[Any]] = [ObjectStore(kind) for kind in KINDS]
        for store in stores:
            store.subscribe(self._changed)
        self._stores = stores
        self._reflectors = [Reflector(kube, store, namespace=namespace) for store in stores]

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(found.run()) for found in self._reflectors]
        for store in self._stores:
            await asyncio.wait_for(store.ready.wait(), READY_SECONDS)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def quiet(self, seconds: float, *, within: float) -> None:
        """Wait until no resourceVersion has changed for so long; fail if that takes too long."""
        began = time.monotonic()

        def look() -> bool:
            last = max(began, self._changes[-1][0] if self._changes else began)
            return time.monotonic() - last >= seconds

        await until(look, f"{seconds:g} s without a write", within, state=self.newest)

    def newest(self) -> str:
        """Return the newest changes, for a failure's text."""
        return "\n".join(text for _, text in self._changes[-12:])

    def _changed(self, old: Resource | None, new: Resource | None) -> None:
        obj = new or old
        assert obj is not None
        version = new.metadata.resource_version if new else "deleted"
        self._changes.append((time.monotonic(), f"{type(obj).KIND.kind} {obj.key} {version}"))
        if isinstance(old, RolloutTarget) and isinstance(new, RolloutTarget):
            self._target(old, new)
        if isinstance(old, InstanceAction) and isinstance(new, InstanceAction):
            self._action(old, new)

    def _action(self, old: InstanceAction, new: InstanceAction) -> None:
        """What has ended stays, and nothing runs a second time."""
        before, after = old.status.state, new.status.state
        if before != after and (before in STAYS or after == "pending"):
            self.broken.append(f"{new.key}: {before} became {after}")
        if before == "uncertain" and after == "running":
            self.broken.append(f"{new.key}: it was started again")

    def _target(self, old: RolloutTarget, new: RolloutTarget) -> None:
        """A terminal state stays (I5)."""
        if old.metadata.uid != new.metadata.uid or old.status.state not in STAYS:
            return
        if (new.status.state, new.status.task_id) != (old.status.state, old.status.task_id):
            self.broken.append(f"{new.key}: {old.status.state} became {new.status.state}")
