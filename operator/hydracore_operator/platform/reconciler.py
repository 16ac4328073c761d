"""The PlatformPolicy: what holds by it now. What it forbids is forbidden by the rollout engine."""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_core.platform.freeze import Freeze, freeze_of
from hydracore_crds import PlatformPolicy
from hydracore_crds.base import set_condition
from hydracore_crds.platform_policy import PlatformPolicyStatus
from hydracore_kube import NotFound
from hydracore_operator.context import Context
from hydracore_operator.policies.verdicts import frozen

COUNT_EVERY = timedelta(seconds=5)
"""Shortest time between two counts of what is in flight; every start and end of a push wakes us."""


class PlatformReconciler:
    """Reconciles PlatformPolicies by name."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._counted = float("-inf")

    async def reconcile(self, key: str) -> datetime | None:
        """Write what holds now, where it differs; return when to look again.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
        """
        policy = self._ctx.stores.platform.get(key)
        if policy is None or policy.deleting:
            return None
        now, elapsed = self._ctx.now(), self._ctx.clock.monotonic()
        wait = max(COUNT_EVERY - timedelta(seconds=min(elapsed - self._counted, 3600)), timedelta())
        freeze = freeze_of(policy, now)
        status = self._status(policy, freeze, now, count=not wait)
        try:
            written = await self._ctx.kube.update_status(policy, status)
        except NotFound:
            self._ctx.stores.platform.remove(key, policy.metadata.uid)
            return None
        self._ctx.stores.platform.upsert(written)
        if not wait:
            self._counted = elapsed
        thaws_at = freeze.until if freeze is not None else None
        times = (now + wait if wait else None, thaws_at)
        return min((time for time in times if time is not None), default=None)

    def _status(
        self, policy: PlatformPolicy, freeze: Freeze | None, now: datetime, *, count: bool
    ) -> PlatformPolicyStatus:
        status = policy.status.model_copy(deep=True)
        status.observed_generation = policy.metadata.generation
        if count:
            targets = self._ctx.stores.targets.all()
            status.in_flight = sum(target.status.state == "in_progress" for target in targets)
        verdict = frozen(freeze)
        status.conditions = set_condition(
            status.conditions,
            verdict.type,
            verdict.status,
            reason=verdict.reason,
            message=verdict.message,
            now=now,
            generation=policy.metadata.generation,
        )
        return status
