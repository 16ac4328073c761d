"""Reads afresh what a decision rests on that must not be made from a watch that may be late."""

from __future__ import annotations

from hydracore_crds import RolloutTarget
from hydracore_operator.rollouts.tenant import Tenant


async def look(tenant: Tenant, rollout_name: str) -> list[RolloutTarget]:
    """Return the targets under a rollout's name as they are stored; their store takes them in.

    Raises:
        KubeError: They could not be listed.
    """
    store = tenant.ctx.stores.targets
    found, _ = await tenant.ctx.kube.list(
        RolloutTarget,
        tenant.namespace,
        field_selector=f"spec.rolloutName={rollout_name}",
        held=store.held,
    )
    for target in found:
        store.upsert(target)
    return found
