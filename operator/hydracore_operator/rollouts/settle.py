"""Writes target states that the plan decided without asking an agent."""

from __future__ import annotations

from hydracore_core.rollouts.model import RefuseRetry, Requeue, Settle
from hydracore_operator.rollouts import status
from hydracore_operator.rollouts.tenant import Tenant


async def settle(tenant: Tenant, intent: Settle) -> None:
    """Write the state, then give back the slot. Someone else's terminal state stays."""
    target = tenant.target(intent.target_name)
    if target is None:
        return
    now, task_id = tenant.ctx.now(), target.status.task_id
    written = await tenant.write_target(target, lambda fresh: status.settled(fresh, intent, now))
    if written is not None and task_id is not None:
        tenant.free(task_id)


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
