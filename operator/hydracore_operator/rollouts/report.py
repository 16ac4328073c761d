"""Writes rollouts' statuses: changes of state at once, counts alone at a bounded rate."""

from __future__ import annotations

from hydracore_core.rollouts.model import Report
from hydracore_core.rollouts.status import is_urgent
from hydracore_crds import Rollout
from hydracore_crds.base import GROUP
from hydracore_crds.rollout import RolloutStatus
from hydracore_operator.rollouts.tenant import Tenant


class OutdatedError(Exception):
    """A rollout is no longer what the plan saw: plan again."""


async def report(tenant: Tenant, intent: Report) -> float | None:
    """Write a rollout's status where it differs from the stored one.

    Returns:
        Seconds after which counts that were held back may be written; None if nothing was.

    Raises:
        OutdatedError: Somebody changed what the plan decided from.
        ContendedError, KubeError: See :meth:`Writes.status`.
    """
    seen = tenant.rollout(intent.rollout_name)
    if seen is None or seen.status == intent.status:
        return None
    uid, now = seen.metadata.uid, tenant.ctx.clock.monotonic()
    if not is_urgent(seen.status, intent.status):
        due = tenant.reported.get(uid, float("-inf")) + tenant.timing.counts_every
        if now < due:
            return due - now
    basis = _basis(seen)

    def decide(fresh: Rollout) -> RolloutStatus:
        if _basis(fresh) != basis:
            raise OutdatedError(f"rollout {fresh.key} changed while its status was decided")
        return intent.status

    await tenant.writes.status(tenant.ctx.stores.rollouts, seen, decide)
    tenant.reported[uid] = now
    return None


def _basis(rollout: Rollout) -> tuple[object, ...]:
    """Return what a plan reads of a rollout; annotations and labels of others do not matter."""
    ours = {k: v for k, v in rollout.metadata.annotations.items() if k.startswith(f"{GROUP}/")}
    return (rollout.spec, rollout.status, rollout.metadata.generation, ours, rollout.deleting)
