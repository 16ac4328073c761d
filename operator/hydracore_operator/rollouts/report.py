"""Writes rollouts' statuses: changes of state at once, counts alone at a bounded rate."""

from __future__ import annotations

import structlog

from hydracore_core.rollouts.model import Report
from hydracore_core.rollouts.status import is_urgent
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.base import GROUP
from hydracore_crds.rollout import FINAL_STATES, RolloutStatus
from hydracore_operator.rollouts.look import look
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


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

    if intent.status.removed != seen.status.removed:
        await _confirm_removed(tenant, seen, intent.status)
    if seen.status.state != intent.status.state and not FINAL_STATES.isdisjoint(
        {seen.status.state, intent.status.state}
    ):
        await _confirm_end(tenant, seen)

    def decide(fresh: Rollout) -> RolloutStatus:
        if _basis(fresh) != basis:
            raise OutdatedError(f"rollout {fresh.key} changed while its status was decided")
        return intent.status

    await tenant.writes.status(tenant.ctx.stores.rollouts, seen, decide)
    tenant.reported[uid] = now
    return None


async def _confirm_removed(tenant: Tenant, rollout: Rollout, status: RolloutStatus) -> None:
    """Look afresh before targets are taken for deleted: a watch may only be late.

    Raises:
        OutdatedError: More targets are there than was thought.
        KubeError: They could not be listed.
    """
    uid = rollout.metadata.uid
    found = await look(tenant, rollout.metadata.name)
    owned = sum(any(o.uid == uid for o in t.metadata.owner_references) for t in found)
    if status.counts is None or status.removed is None:
        raise OutdatedError(f"rollout {rollout.key}: what was removed is not counted")
    if owned + status.removed.total != status.counts.total:
        raise OutdatedError(f"rollout {rollout.key} has {owned} targets, not as many as was seen")
    log.warning("targets_deleted_by_hand", rollout=rollout.key, removed=status.removed.total)


async def _confirm_end(tenant: Tenant, rollout: Rollout) -> None:
    """Look afresh before a rollout ends, or one that has ended goes on.

    People are told of an end. Whoever's watch is late may not have heard that a target is retried,
    and whoever led before and does not know it yet may have heard of the rollout's end, and not of
    those of its targets. Either may hear of them while this is asked; so what the plan saw counts,
    not what is known by then.

    Raises:
        OutdatedError: The targets are not what the plan saw.
        KubeError: They could not be listed.
    """
    found = await look(tenant, rollout.metadata.name)
    seen = {target.metadata.uid: target for target in tenant.seen}
    if any(_reads(target) != _reads(seen.get(target.metadata.uid)) for target in found):
        raise OutdatedError(f"targets of rollout {rollout.key} were not known as they are")


def _reads(target: RolloutTarget | None) -> tuple[object, ...] | None:
    """Return what a plan reads of a target."""
    return None if target is None else (target.spec, target.status, target.deleting)


def _basis(rollout: Rollout) -> tuple[object, ...]:
    """Return what a plan reads of a rollout; annotations and labels of others do not matter."""
    ours = {k: v for k, v in rollout.metadata.annotations.items() if k.startswith(f"{GROUP}/")}
    return (rollout.spec, rollout.status, rollout.metadata.generation, ours, rollout.deleting)
