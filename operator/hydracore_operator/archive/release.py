"""Lets a deleted object go: into history first, then off with the operator's finalizer."""

from __future__ import annotations

from typing import TypeVar

import structlog

from hydracore_crds import Resource
from hydracore_crds.names import FINALIZER
from hydracore_history import HistoryError
from hydracore_kube import NotFound
from hydracore_operator.archive.kinds import Archivable
from hydracore_operator.context import Context

R = TypeVar("R", bound=Resource)

WAITS = (
    "it is removed as soon as history (SQL) has it, which cannot be reached: see to the database "
    "if this stays; the operator goes on by itself"
)

log = structlog.get_logger(__name__)


async def release(ctx: Context, kind: Archivable[R], obj: R) -> bool:
    """Archive an object that is being deleted and give up its finalizer.

    Call it once nothing is to be done for the object any more.

    Returns:
        Whether it is let go; False where history cannot take it now (its condition says so).

    Raises:
        Conflict, KubeError: Not freed; archiving again does no harm.
    """
    try:
        await kind.save(obj)
    except HistoryError as error:
        log.warning("release_waits", kind=obj.KIND.kind, key=obj.key, error=str(error))
        await say_waiting(ctx, kind, obj)
        return False
    except NotFound:
        kind.store.remove(obj.key, obj.metadata.uid)
        return True
    ctx.epoch()
    others = [name for name in obj.metadata.finalizers if name != FINALIZER]
    try:
        answer = await ctx.kube.set_finalizers(obj, others)
    except NotFound:
        return True
    if others:
        kind.store.upsert(answer)
    else:
        # It is gone, but the answer to this write bears the old version and still shows it.
        kind.store.remove(obj.key, obj.metadata.uid)
    log.info("released", kind=obj.KIND.kind, key=obj.key)
    return True


async def say_waiting(ctx: Context, kind: Archivable[R], obj: R) -> None:
    """Write the condition Archived=False, unless it stands there already.

    Raises:
        Conflict, KubeError: Not written.
    """
    status = kind.waiting(obj, WAITS, ctx.now())
    if status is None:
        return
    try:
        kind.store.upsert(await ctx.kube.update_status(obj, status))
    except NotFound:
        return
