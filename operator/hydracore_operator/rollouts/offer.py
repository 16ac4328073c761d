"""Sends an order to an agent that never saw it, unless it must not go out any more."""

from __future__ import annotations

from datetime import timedelta

import structlog

from hydracore_agentclient import AgentEndpoint, Order, Refused, TaskReport, UnknownTask
from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.wishes import called_off
from hydracore_crds import Rollout, RolloutTarget, conditions
from hydracore_crds.rollout import PinnedArtifact
from hydracore_operator.rollouts.orders import NotAddressableError, order_for
from hydracore_operator.rollouts.outcome import Verdict, plain
from hydracore_operator.rollouts.tenant import Tenant

log = structlog.get_logger(__name__)

_CANCELLED = Verdict("cancelled", conditions.CANCELLED, "cancelled before the order went out", None)
_PUT_BACK = Verdict(
    "queued", conditions.QUEUED, "the window closed before the order went out", None
)
_HELD_BACK = Verdict(
    "queued", conditions.QUEUED, "the rollout was stopped before the order went out", None
)
_FROZEN = Verdict(
    "queued", conditions.QUEUED, "the platform was frozen before the order went out", None
)


class Offer:
    """One order on its way out. Everything that forbids it is looked at right before it goes."""

    def __init__(self, tenant: Tenant, task_id: str) -> None:
        """Take what it is about."""
        self._tenant = tenant
        self._task_id = task_id

    async def make(
        self, endpoint: AgentEndpoint, target: RolloutTarget
    ) -> TaskReport | Verdict | None:
        """Send the order, or say how it ends without; None to ask again later.

        Raises:
            AgentError: The agent could not be asked, or refuses for now.
            NotAddressableError: The rollout is not ready to be delivered.
        """
        tenant = self._tenant
        rollout = tenant.rollout(target.spec.rollout_name)
        if rollout is None or called_off(rollout, target):
            return await self._withdraw(endpoint, _CANCELLED)
        deadline = target.status.deadline
        if deadline is None or tenant.ctx.now() >= deadline:
            return self._never_received(target)
        if not tenant.gate_open(rollout, target):
            return await self._withdraw(endpoint, _why_held(tenant, rollout))
        if not tenant.may_send(self._task_id):
            return None
        return await self._send(endpoint, self._order(rollout, target))

    def _order(self, rollout: Rollout, target: RolloutTarget) -> Order:
        artifact, deadline = self._artifact(rollout, target), target.status.deadline
        if artifact is None or deadline is None or artifact.sha256 != target.spec.bundle_hash:
            raise NotAddressableError("what is to be delivered is not what the target says")
        return order_for(
            artifact,
            task_id=self._task_id,
            epoch=self._tenant.lead(),
            not_after=deadline,
            agent_api_url=self._tenant.ctx.settings.agent_api_url,
            force=rollout.spec.force and target.spec.rollback_of is None,
        )

    def _artifact(self, rollout: Rollout, target: RolloutTarget) -> PinnedArtifact | None:
        """Return what the target delivers: the rollout's bundle, or the one that ran before."""
        if target.spec.bundle_name is None:
            return rollout.status.artifact
        bundle = self._tenant.ctx.stores.bundles.get(target.spec.bundle_name)
        return pin(bundle) if bundle is not None else None

    async def _send(self, endpoint: AgentEndpoint, order: Order) -> TaskReport | Verdict:
        self._tenant.posted.add(self._task_id)
        try:
            return await self._tenant.ctx.agents.send_order(endpoint, order)
        except Refused as refusal:
            if refusal.code == "invalid_order":
                return Verdict("failed", conditions.REJECTED, plain(refusal.message), "rejected")
            if refusal.code == "expired":
                return Verdict("failed", conditions.TIMEOUT, plain(refusal.message), "timeout")
            raise

    async def _withdraw(self, endpoint: AgentEndpoint, verdict: Verdict) -> Verdict | None:
        """Take back an order that the agent has not seen; return ``verdict`` once it is.

        A copy of it that may still be on its way, ours or an older leader's, is fenced first: an
        aborted task is never begun.
        """
        tenant, task_id = self._tenant, self._task_id
        entry = tenant.ledger.entries.get(task_id)
        ours = entry is not None and entry.epoch == tenant.epoch
        if task_id in tenant.posted or not ours:
            try:
                report = await tenant.ctx.agents.abort(endpoint, task_id, tenant.lead())
            except UnknownTask:
                log.debug("order_withdrawn", task_id=task_id)
            else:
                if report.state != "aborted":
                    return None
        return verdict

    def _never_received(self, target: RolloutTarget) -> Verdict | None:
        """After its deadline, with some grace for clocks, an unseen order can never start."""
        deadline = target.status.deadline
        grace = timedelta(seconds=self._tenant.timing.clock_grace)
        if deadline is None or self._tenant.ctx.now() < deadline + grace:
            return None
        text = "the agent never received the order before its deadline"
        return Verdict("failed", conditions.TIMEOUT, text, "timeout")


def _why_held(tenant: Tenant, rollout: Rollout) -> Verdict:
    """Say what keeps back an order that has not gone out."""
    if tenant.frozen():
        return _FROZEN
    return _HELD_BACK if tenant.in_time(rollout) else _PUT_BACK
