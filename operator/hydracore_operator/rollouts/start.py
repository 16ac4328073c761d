"""Starts targets: claims their slots in one ledger write; a drive for each does the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from hydracore_core.rollouts.model import Start
from hydracore_operator.rollouts.begin import Beginning
from hydracore_operator.rollouts.drive import Drive
from hydracore_operator.rollouts.entries import Entry
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


async def flush(tenant: Tenant) -> None:
    """Free what is to be freed, in one write; nothing is written where nothing is.

    Raises:
        LedgerMovedError, KubeError: See :meth:`Ledger.write`; what was to be freed still is.
    """
    await _claim(tenant, {})


async def start(tenant: Tenant, starts: Sequence[Start], new_id: Callable[[], str]) -> set[str]:
    """Start targets; what another operator or a person decided meanwhile wins.

    Args:
        tenant: The tenant.
        starts: What the plan wants started.
        new_id: Makes task ids (UUIDv4).

    Returns:
        Task ids of the orders that are driven now.

    Raises:
        LedgerMovedError, KubeError: No slot was claimed (or, for Unavailable, it is unknown).
    """
    tenant.lead()
    wanted = {new_id(): intent for intent in starts}
    claims = {task: _entry(tenant, intent) for task, intent in wanted.items()}
    refused = await _claim(tenant, claims)
    begun = {task: intent for task, intent in wanted.items() if task not in refused}
    tenant.starting |= begun.keys()
    for task, intent in begun.items():
        drive(tenant, intent.target_name, task, beginning=Beginning(tenant, task, intent))
    return set(begun)


async def _claim(tenant: Tenant, claims: dict[str, Entry]) -> dict[str, str]:
    frees = set(tenant.freeing)
    changed = await tenant.ledger.write(claims=claims, frees=frees, limit=tenant.limit)
    tenant.freeing -= frees
    for task, why in changed.refused.items():
        log.info("slot_refused", namespace=tenant.namespace, task_id=task, why=why)
    return changed.refused


def drive(
    tenant: Tenant, target_name: str, task_id: str, *, beginning: Beginning | None = None
) -> None:
    """Follow an order, unless it is followed already; with ``beginning`` it starts now."""

    def begin(abort: asyncio.Event) -> Drive:
        return Drive(tenant, target_name, task_id, abort, beginning=beginning)

    tenant.drives.ensure(task_id, lambda abort: begin(abort).run())


def _entry(tenant: Tenant, intent: Start) -> Entry:
    return Entry(
        target=intent.target_name,
        rollout=intent.rollout_name,
        attempt=intent.attempt,
        instance_name=intent.instance_name,
        instance_uid=intent.instance_uid,
        deadline=intent.deadline,
        epoch=tenant.epoch,
    )
