"""Lets go of a deleted rollout: into history first, then off with the finalizer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from hydracore_core.rollouts.model import LetGo
from hydracore_crds import Resource, Rollout, RolloutTarget, conditions
from hydracore_crds.base import set_condition
from hydracore_crds.names import FINALIZER
from hydracore_crds.rollout import RolloutStatus
from hydracore_history import HistoryUnavailable
from hydracore_kube import NotFound
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


async def let_go(tenant: Tenant, intent: LetGo) -> timedelta | None:
    """Archive a rollout with its targets as they are stored now, then free it.

    Returns:
        When to try again, where history is unavailable (the rollout's condition says so).

    Raises:
        Conflict, KubeError: Not freed; archiving again does no harm.
    """
    rollout = tenant.rollout(intent.rollout_name)
    if rollout is None or not rollout.deleting or FINALIZER not in rollout.metadata.finalizers:
        return None
    store = tenant.ctx.stores.rollouts
    try:
        if not await _archive(tenant, rollout):
            store.remove(rollout.key, rollout.metadata.uid)
            return None
    except HistoryUnavailable as error:
        log.warning("rollout_archive_waits", rollout=rollout.key, error=str(error))
        now = tenant.ctx.now()
        text = "history cannot be reached, so the rollout is kept until it is stored there"
        await tenant.writes.status(store, rollout, lambda fresh: unarchived(fresh, text, now))
        return timedelta(seconds=tenant.timing.retry)
    others = [name for name in rollout.metadata.finalizers if name != FINALIZER]
    try:
        await tenant.writes.finalizers(store, rollout, others)
    except NotFound:
        return None
    if not others:
        # It is gone, but the answer to this write bears the old version and still shows it.
        store.remove(rollout.key, rollout.metadata.uid)
    tenant.reported.pop(rollout.metadata.uid, None)
    log.info("rollout_released", rollout=rollout.key)
    return None


def unarchived(rollout: Rollout, message: str, now: Any) -> RolloutStatus:
    """Return the status of a rollout that waits for history."""
    generation = rollout.metadata.generation
    found = set_condition(
        rollout.status.conditions,
        conditions.ARCHIVED,
        "False",
        reason=conditions.HISTORY_UNAVAILABLE,
        message=message,
        now=now,
        generation=generation,
    )
    return rollout.status.model_copy(update={"conditions": found})


async def _archive(tenant: Tenant, rollout: Rollout) -> bool:
    """Archive; return whether the rollout was still there.

    Its targets are collected as soon as it is gone. So it is looked at after they were listed:
    only while it is there the list is whole, and may replace what was archived before.
    """
    targets, _ = await tenant.ctx.kube.list(
        RolloutTarget, tenant.namespace, field_selector=f"spec.rolloutName={rollout.metadata.name}"
    )
    uid = rollout.metadata.uid
    if not await _is_there(tenant, rollout):
        return False
    owned = [t for t in targets if any(o.uid == uid for o in t.metadata.owner_references)]
    namespace = tenant.ctx.stores.namespaces.get(tenant.namespace)
    await tenant.ctx.history.rollouts.archive(
        _plain(rollout),
        [_plain(target) for target in sorted(owned, key=lambda t: t.spec.order)],
        tenant_id=(namespace.tenant_id if namespace else None) or tenant.namespace,
        namespace=tenant.namespace,
        uid=uid,
        at=tenant.ctx.now(),
    )
    return True


async def _is_there(tenant: Tenant, rollout: Rollout) -> bool:
    try:
        fresh = await tenant.ctx.kube.get(Rollout, rollout.metadata.name, tenant.namespace)
    except NotFound:
        return False
    return fresh.metadata.uid == rollout.metadata.uid


def _plain(obj: Resource) -> dict[str, Any]:
    wire = obj.to_wire()
    wire["metadata"].pop("managedFields", None)
    return wire
