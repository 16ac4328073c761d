"""Settles a slot that has no target: the agent says what became of its order, then it is freed.

Such slots come from an operator that ended between its claim and its status write, and from
targets deleted by hand.
"""

from __future__ import annotations

import structlog

from hydracore_agentclient import AgentError, UnknownTask
from hydracore_core.rollouts.model import Slot
from hydracore_crds import Instance, RolloutTarget
from hydracore_kube import KubeError, NotFound
from hydracore_operator.rollouts import status
from hydracore_operator.rollouts.entries import Entry
from hydracore_operator.rollouts.orders import NotAddressableError, endpoint_of
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)


class Resolver:
    """One slot's way out. Make one, then await :meth:`run` once."""

    def __init__(self, tenant: Tenant, slot: Slot) -> None:
        """Take the slot."""
        self._tenant = tenant
        self._slot = slot
        self._unseen_since: float | None = None

    async def run(self) -> None:
        """Return when the slot is free, or its target has turned up. No error ends it."""
        polls = self._tenant.timing.polls()
        while not await self._safe_round():
            await self._tenant.ctx.clock.sleep(next(polls))

    async def _safe_round(self) -> bool:
        slot = self._slot
        try:
            if not await self._settled():
                return False
        except (AgentError, NotAddressableError, KubeError) as error:
            log.info("slot_unresolved", task_id=slot.task_id, error=str(error))
            return False
        except Exception:
            log.exception("slot_round_failed", task_id=slot.task_id)
            return False
        self._tenant.free(slot.task_id)
        log.info("slot_resolved", task_id=slot.task_id, target=slot.target_name)
        return True

    async def _settled(self) -> bool:
        """Whether nothing can happen under this slot any more."""
        tenant, slot = self._tenant, self._slot
        entry = tenant.ledger.entries.get(slot.task_id)
        instance = tenant.instance(slot.instance_name)
        gone = instance is None or instance.metadata.uid != slot.instance_uid
        if entry is None or gone or tenant.ctx.now() >= slot.deadline:
            return True
        if await self._has_target():
            return False
        if entry.epoch == tenant.epoch and slot.task_id not in tenant.posted:
            return True
        return await self._says_agent(entry, instance)

    async def _says_agent(self, entry: Entry, instance: Instance | None) -> bool:
        """Whether the agent has finished the order, or can never begin it."""
        tenant, task_id = self._tenant, self._slot.task_id
        identity = (instance.spec.id if instance is not None else None) or ""
        endpoint = endpoint_of(instance, instance_id=identity)
        try:
            return (await tenant.ctx.agents.task(endpoint, task_id)).final
        except UnknownTask:
            if entry.epoch > tenant.epoch or (
                entry.epoch < tenant.epoch and not self._unseen_long_enough()
            ):
                return False
        try:
            # The order may still be on its way: an aborted task is never begun, and the agent
            # refuses an older leader once it knows our epoch.
            return (await tenant.ctx.agents.abort(endpoint, task_id, tenant.lead())).final
        except UnknownTask:
            return True

    async def _has_target(self) -> bool:
        """Whether the target carries this order after all; asked afresh."""
        tenant, slot = self._tenant, self._slot
        try:
            fresh = await tenant.ctx.kube.get(RolloutTarget, slot.target_name, tenant.namespace)
        except NotFound:
            return False
        tenant.ctx.stores.targets.upsert(fresh)
        return status.is_open(fresh, slot.task_id)

    def _unseen_long_enough(self) -> bool:
        """Whether the claim's operator has had time to store its target in progress."""
        now = self._tenant.ctx.clock.monotonic()
        self._unseen_since = now if self._unseen_since is None else self._unseen_since
        return now - self._unseen_since >= self._tenant.timing.fence_after
