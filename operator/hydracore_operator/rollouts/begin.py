"""Stores ``in_progress`` for an order whose slot is acknowledged, before the order goes out."""

from __future__ import annotations

import structlog

from hydracore_core.rollouts.model import Start
from hydracore_crds import RolloutTarget
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_kube import KubeError, NotFound
from hydracore_operator.rollouts import status
from hydracore_operator.rollouts.tenant import Tenant
from hydracore_operator.rollouts.writes import ContendedError

log = structlog.get_logger(__name__)


class Beginning:
    """One start. Make one, then await :meth:`store` once."""

    def __init__(self, tenant: Tenant, task_id: str, intent: Start) -> None:
        """Take what is to be started."""
        self._tenant = tenant
        self._task_id = task_id
        self._intent = intent

    async def store(self) -> bool:
        """Store it; the API server is asked again until that takes too long.

        Returns:
            Whether the target is in progress with this order. If not, somebody decided otherwise
            meanwhile (cancel, pause, halt, deletion, another operator) or the window has closed,
            and no order may go out.
        """
        clock, timing = self._tenant.ctx.clock, self._tenant.timing
        polls, give_up_at = timing.polls(), clock.monotonic() + timing.start_patience
        again = False
        while clock.monotonic() < give_up_at and self._tenant.ctx.now() < self._intent.deadline:
            try:
                async with self._tenant.beginnings:
                    return await self._once(await self._target(afresh=again))
            except (KubeError, ContendedError) as error:
                log.warning("start_delayed", task_id=self._task_id, error=str(error))
            again = True
            await clock.sleep(next(polls))
        return False

    async def _target(self, *, afresh: bool) -> RolloutTarget | None:
        """Return the target; afresh where an earlier write's outcome is unknown."""
        tenant, name = self._tenant, self._intent.target_name
        if not afresh:
            return tenant.target(name)
        try:
            found = await tenant.ctx.kube.get(RolloutTarget, name, tenant.namespace)
        except NotFound:
            return None
        tenant.ctx.stores.targets.upsert(found)
        return found

    async def _once(self, target: RolloutTarget | None) -> bool:
        if target is None:
            return False
        if status.is_open(target, self._task_id):
            return True
        if not self._wanted():
            return False
        return await self._tenant.write_target(target, self._started) is not None

    def _wanted(self) -> bool:
        """Whether nothing that is known by now forbids the start."""
        tenant, intent = self._tenant, self._intent
        tenant.lead()
        rollout = tenant.rollout(intent.rollout_name)
        instance = tenant.instance(intent.instance_name)
        target = tenant.target(intent.target_name)
        if rollout is None or target is None or not tenant.gate_open(rollout, target):
            return False
        return instance is not None and instance.metadata.uid == intent.instance_uid

    def _started(self, fresh: RolloutTarget) -> RolloutTargetStatus | None:
        instance = self._tenant.instance(self._intent.instance_name)
        return status.started(
            fresh,
            attempt=self._intent.attempt,
            task_id=self._task_id,
            deadline=self._intent.deadline,
            instance=instance,
            now=self._tenant.ctx.now(),
        )
