"""Writes target states that the plan decided without asking an agent."""

from __future__ import annotations

import structlog

from hydracore_core.rollouts.model import RaiseAttempt, RefuseRetry, Requeue, Settle
from hydracore_crds import RolloutTarget
from hydracore_kube import Conflict, NotFound
from hydracore_operator.rollouts import status
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


async def settle(tenant: Tenant, intent: Settle) -> None:
    """Write the state, then give back the slot. Someone else's terminal state stays."""
    target = tenant.target(intent.target_name)
    if target is None:
        return
    now, task_id = tenant.ctx.now(), target.status.task_id
    written = await tenant.write_target(target, lambda fresh: status.settled(fresh, intent, now))
    if written is not None and task_id is not None:
        tenant.free(task_id)


async def raise_attempt(tenant: Tenant, intent: RaiseAttempt) -> None:
    """Ask for a retry as a person would, unless the target is not what the plan saw.

    Raises:
        Conflict: Somebody changed the target meanwhile; the newest copy is known now.
        KubeError: Refused, or (Unavailable) unknown.
    """
    target = tenant.target(intent.target_name)
    if target is None or not status.may_raise(target, intent.attempt):
        return
    tenant.lead()
    metadata, place = target.metadata, (target.metadata.name, tenant.namespace)
    body = {
        "metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version},
        "spec": {"attempt": intent.attempt},
    }
    try:
        stored = await tenant.ctx.kube.patch(RolloutTarget, *place, body)
    except NotFound:
        return
    except Conflict:
        await tenant.writes.refresh(tenant.ctx.stores.targets, target)
        raise
    tenant.ctx.stores.targets.upsert(stored)
    log.info("target_retried", target=stored.key, attempt=intent.attempt)


async def requeue(tenant: Tenant, intent: Requeue) -> None:
    """Queue a target again under its new attempt."""
    target = tenant.target(intent.target_name)
    if target is None:
        return
    now, task_id = tenant.ctx.now(), target.status.task_id
    written = await tenant.write_target(target, lambda fresh: status.requeued(fresh, intent, now))
    if written is not None and task_id is not None:
        tenant.free(task_id)
        tenant.drives.drop({task_id})


async def refuse_retry(tenant: Tenant, intent: RefuseRetry) -> None:
    """Say in the target's condition why there is no further attempt."""
    target = tenant.target(intent.target_name)
    if target is None:
        return
    now = tenant.ctx.now()
    await tenant.write_target(
        target,
        lambda fresh: status.retry_refused(fresh, intent.attempt, intent.message, now),
    )
