"""Enters orders that may be out, and stand nowhere in the ledger, as slots.

That is so after the ledger was lost, or after an older leader stored ``in_progress`` late. They
count against the limit from then on. Who sent them is not known, so that they are fenced like
those of an older leader.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog

from hydracore_crds import RolloutTarget
from hydracore_operator.rollouts.entries import UNKNOWN_EPOCH, Entry
from hydracore_operator.rollouts.filed import targets_of
from hydracore_operator.rollouts.look import look
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


async def adopt(tenant: Tenant) -> None:
    """Adopt the orders of targets in progress whose task the ledger does not know.

    They are looked up afresh: to a watch that is late an order whose slot was freed long ago is
    still out, and its Instance may have another slot by now. The ledger was read before, so that
    what is seen now is true of it as long as the write finds it unchanged.

    Raises:
        LedgerMovedError, KubeError: Nothing is adopted, or (Unavailable) unknown.
    """
    now = tenant.ctx.now()
    progress = targets_of(tenant.ctx.stores, tenant.namespace).in_state("in_progress")
    suspects = unrecorded(tenant, progress, now)
    if not suspects:
        return
    found: list[RolloutTarget] = []
    for name in sorted({entry.rollout for entry in suspects.values()}):
        found += await look(tenant, name)
    adopts = unrecorded(tenant, found, now)
    if adopts:
        log.warning("orders_adopted", namespace=tenant.namespace, task_ids=sorted(adopts))
        await tenant.ledger.write(claims={}, adopts=adopts, limit=tenant.limit)


def unrecorded(tenant: Tenant, targets: Iterable[RolloutTarget], now: datetime) -> dict[str, Entry]:
    """Return entries, by task id, for those targets whose order may be out and has no slot."""
    found: dict[str, Entry] = {}
    for target in targets:
        status = target.status
        if status.state != "in_progress" or status.task_id is None or status.deadline is None:
            continue
        known = status.task_id in tenant.ledger.entries or status.task_id in tenant.freeing
        if not known and status.deadline > now:
            found[status.task_id] = _entry_of(tenant, target, status.task_id, status.deadline)
    return found


def _entry_of(tenant: Tenant, target: RolloutTarget, task_id: str, deadline: datetime) -> Entry:
    instance = tenant.instance(target.spec.instance_name)
    return Entry(
        target=target.metadata.name,
        rollout=target.spec.rollout_name,
        attempt=target.status.attempt or target.spec.attempt,
        instance_name=target.spec.instance_name,
        instance_uid=instance.metadata.uid if instance else f"unknown-{task_id}",
        deadline=deadline,
        epoch=UNKNOWN_EPOCH,
    )
