"""Looks after finished objects: archives them at their end, removes ours after a time to live.

Of kinds that are bounded, the oldest go earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from hydracore_crds import Resource
from hydracore_history import HistoryError
from hydracore_kube import NotFound
from hydracore_operator.archive.kinds import Archivable, made_here
from hydracore_operator.archive.release import say_waiting
from hydracore_operator.context import Context
from hydracore_operator.controller.reconciler import RetryLater

RETRY = timedelta(seconds=5)
"""Wait before history is tried again."""
STILL_NEEDED = timedelta(hours=1)
"""Wait before an object that something needs is looked at again."""

log = structlog.get_logger(__name__)


def archive_key(obj: Resource) -> str:
    """Return an object's key in the archive's queue: ``plural/namespace/name``."""
    return f"{obj.KIND.plural}/{obj.key}"


class ArchiveReconciler:
    """Archives and removes finished objects. Keys are those of :func:`archive_key`.

    Objects that are being deleted already are left to whoever brings them to their end: it calls
    :func:`hydracore_operator.archive.release`.
    """

    def __init__(self, ctx: Context, kinds: Mapping[str, Archivable[Any]]) -> None:
        """Take the outer world and the kinds by their plural names."""
        self._ctx = ctx
        self._kinds = kinds
        self._saved: dict[str, tuple[str, str]] = {}

    async def reconcile(self, key: str) -> datetime | timedelta | None:
        """Look at one object; return when to look again, if ever.

        Raises:
            RetryLater: History cannot take it now.
            Conflict, KubeError: Something could not be read, written or removed.
        """
        plural, _, name = key.partition("/")
        kind = self._kinds[plural]
        obj = kind.store.get(name)
        ended = None if obj is None or obj.deleting else kind.ended_at(obj)
        if obj is None or ended is None:
            self._saved.pop(key, None)
            return None
        due = self._due(kind, obj, ended)
        try:
            if due is None or self._ctx.now() < due:
                await self._archive(key, kind, obj)
                return due
            return await self._remove(kind, obj)
        except NotFound:
            kind.store.remove(obj.key, obj.metadata.uid)
            self._saved.pop(key, None)
            return None
        except HistoryError as error:
            if due is not None and self._ctx.now() >= due:
                await say_waiting(self._ctx, kind, obj)
            log.warning("archive_waits", kind=obj.KIND.kind, key=obj.key, error=str(error))
            raise RetryLater(str(error), RETRY) from error

    def _due(self, kind: Archivable[Any], obj: Resource, ended: datetime) -> datetime | None:
        """Return when to remove an object; None for what people or Git have applied."""
        if not made_here(obj):
            return None
        if kind.surplus(obj):
            return min(ended, self._ctx.now())
        return ended + timedelta(seconds=self._ctx.settings.finished_ttl_seconds)

    async def _archive(self, key: str, kind: Archivable[Any], obj: Resource) -> None:
        version = (obj.metadata.uid, obj.metadata.resource_version)
        if self._saved.get(key) == version:
            return
        if not await kind.known(obj):
            await kind.save(obj)
            log.info("archived", kind=obj.KIND.kind, key=obj.key)
        self._saved[key] = version

    async def _remove(self, kind: Archivable[Any], obj: Resource) -> timedelta | None:
        why = kind.needed(obj)
        if why is not None:
            log.info("removal_put_off", kind=obj.KIND.kind, key=obj.key, why=why)
            return STILL_NEEDED
        await kind.save(obj)
        self._ctx.epoch()
        metadata = obj.metadata
        try:
            await self._ctx.kube.delete(
                type(obj),
                metadata.name,
                metadata.namespace,
                uid=metadata.uid,
                resource_version=metadata.resource_version,
                propagation="Background",
            )
        except NotFound:
            return None
        log.info("finished_removed", kind=obj.KIND.kind, key=obj.key)
        return None
