"""Asks history whether a rollout's work has begun before, and tells it that it begins."""

from __future__ import annotations

from functools import partial

import structlog

from hydracore_core.executions import Began, spec_hash
from hydracore_core.rollouts.model import AskHistory
from hydracore_crds import Rollout
from hydracore_history import Execution, HistoryError
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


def ask(tenant: Tenant, intent: AskHistory) -> None:
    """Ask in the background; the answer goes into ``tenant.began`` and wakes the tenant."""
    rollout = tenant.rollout(intent.rollout_name)
    if rollout is not None:
        key = f"ask-{rollout.metadata.uid}"
        tenant.errands.ensure(key, partial(_ask, tenant, rollout, claim=intent.claim))


async def _ask(tenant: Tenant, rollout: Rollout, *, claim: bool) -> bool:
    tenant.lead()
    uid = rollout.metadata.uid
    try:
        found = await _execution(tenant, rollout, claim=claim)
    except HistoryError as error:
        if tenant.began.get(uid, Began("unknown")).state != "unavailable":
            log.warning("rollout_start_waits", rollout=rollout.key, error=str(error))
        tenant.began[uid] = Began("unavailable")
        return False
    tenant.began[uid] = _answer(found, uid)
    if tenant.began[uid].state == "other":
        log.warning("rollout_already_executed", rollout=rollout.key, uid=uid)
    return True


async def _execution(tenant: Tenant, rollout: Rollout, *, claim: bool) -> Execution | None:
    executions = tenant.ctx.history.executions
    work = {
        "kind": Rollout.KIND.kind,
        "namespace": tenant.namespace,
        "name": rollout.metadata.name,
        "spec_hash": spec_hash(rollout.spec),
    }
    if claim:
        return await executions.begin(**work, uid=rollout.metadata.uid, at=tenant.ctx.now())
    return await executions.get(**work)


def _answer(found: Execution | None, uid: str) -> Began:
    if found is None:
        return Began("fresh")
    return Began("ours" if found.uid == uid else "other", found.uid, found.started_at)
