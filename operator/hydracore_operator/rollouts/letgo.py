"""Lets go of a deleted rollout, once the plan says that all is settled."""

from __future__ import annotations

from functools import partial

from hydracore_core.rollouts.model import LetGo
from hydracore_crds.names import FINALIZER
from hydracore_kube import Conflict
from hydracore_operator.archive import RolloutArchiver, release
from hydracore_operator.rollouts.tenant import Tenant


def let_go(tenant: Tenant, intent: LetGo) -> None:
    """Archive a rollout with its targets and free it, in the background.

    Where history is away the rollout's condition says so, and it is tried again.
    """
    rollout = tenant.rollout(intent.rollout_name)
    if rollout is not None:
        key = f"letgo-{rollout.metadata.uid}"
        tenant.errands.ensure(key, partial(_let_go, tenant, intent.rollout_name))


async def _let_go(tenant: Tenant, name: str) -> bool:
    tenant.lead()
    rollout = tenant.rollout(name)
    if rollout is None or not rollout.deleting or FINALIZER not in rollout.metadata.finalizers:
        return True
    try:
        done = await release(tenant.ctx, RolloutArchiver(tenant.ctx), rollout)
    except Conflict:
        await tenant.writes.refresh(tenant.ctx.stores.rollouts, rollout)
        return True  # the next plan looks at the newest copy
    if done:
        tenant.reported.pop(rollout.metadata.uid, None)
    return done
