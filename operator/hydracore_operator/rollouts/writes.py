"""Writes that survive other writers: decide, write with preconditions, decide again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from hydracore_crds import Resource, Rollout, RolloutTarget
from hydracore_crds.base import Wire
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_kube import Conflict, KubeClient, NotFound, ObjectStore

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
Trail = Callable[[Resource, Wire], Wire]
"""From an object and the status it shall have, to that status with the steps it took."""


class ContendedError(Exception):
    """Other writers changed an object faster than it could be written."""


class Writes:
    """Writes statuses and finalizers, and puts every answer into its store."""

    def __init__(
        self, kube: KubeClient, *, conflicts: int, trail: Trail = lambda _obj, status: status
    ) -> None:
        """Take the client, how often one write may be decided again, and what notes the steps."""
        self._kube = kube
        self._conflicts = conflicts
        self._trail = trail

    async def status(
        self, store: ObjectStore[R], obj: R, decide: Callable[[R], Wire | None]
    ) -> R | None:
        """Write the status that ``decide`` wants, on the newest copy of this very object.

        Args:
            store: Takes in whatever is read or written.
            obj: The object as it is known now.
            decide: From a copy of the object to its new status; None if there is nothing to do.

        Returns:
            The object as stored, or None where ``decide`` wanted nothing or the object is gone.

        Raises:
            ContendedError: Too many conflicts.
            KubeError: Refused, or (Unavailable) unknown.
        """
        uid = obj.metadata.uid
        for _ in range(self._conflicts):
            wanted = decide(obj)
            if wanted is None:
                return None
            try:
                written = await self._kube.update_status(obj, self._trail(obj, wanted))
            except NotFound:
                return None
            except Conflict:
                fresh = await self._fresh(store, obj, uid)
                if fresh is None:
                    return None
                obj = fresh
            else:
                store.upsert(written)
                return written
        kind = type(obj).KIND.kind
        raise ContendedError(f"{kind} {obj.key}: {self._conflicts} conflicts in a row")

    async def finalizers(self, store: ObjectStore[R], obj: R, wanted: list[str]) -> None:
        """Replace an object's finalizers.

        Raises:
            Conflict: The copy was old; the newest one is in the store now, so decide again.
            NotFound, KubeError: Not written, or (Unavailable) unknown.
        """
        try:
            store.upsert(await self._kube.set_finalizers(obj, wanted))
        except Conflict:
            await self._fresh(store, obj, obj.metadata.uid)
            raise

    async def refresh(self, store: ObjectStore[R], obj: R) -> None:
        """Have the newest copy of an object in its store.

        Raises:
            KubeError: It could not be read.
        """
        await self._fresh(store, obj, obj.metadata.uid)

    async def _fresh(self, store: ObjectStore[R], obj: R, uid: str) -> R | None:
        try:
            fresh = await self._kube.get(type(obj), obj.metadata.name, obj.metadata.namespace)
        except NotFound:
            return None
        store.upsert(fresh)
        return fresh if fresh.metadata.uid == uid else None


TargetDecision = Callable[[RolloutTarget], RolloutTargetStatus | None]
RolloutDecision = Callable[[Rollout], Wire | None]


async def bounded(
    jobs: Iterable[Callable[[], Coroutine[Any, Any, T]]], *, at_once: int
) -> list[T | Exception]:
    """Run jobs, at most ``at_once`` of them at a time; failures are returned, not raised.

    Cancelling the caller cancels every job.
    """
    queue = list(enumerate(jobs))
    results: dict[int, T | Exception] = {}
    queue.reverse()

    async def worker() -> None:
        while queue:
            index, job = queue.pop()
            try:
                results[index] = await job()
            except Exception as error:  # noqa: BLE001 - handed to the caller as data
                results[index] = error

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(queue))):
            group.create_task(worker())
    return [results[index] for index in sorted(results)]
