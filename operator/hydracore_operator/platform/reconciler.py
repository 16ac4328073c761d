"""The PlatformPolicy: what holds by it now. What it forbids is forbidden by the rollout engine."""

from __future__ import annotations

from datetime import datetime

from hydracore_core.platform.freeze import Freeze, freeze_of
from hydracore_crds import PlatformPolicy
from hydracore_crds.platform_policy import PlatformPolicyStatus
from hydracore_operator.context import Context
from hydracore_operator.policies.counts import Counts, in_flight
from hydracore_operator.policies.verdicts import frozen, judged
from hydracore_operator.status_writes import write_status


class PlatformReconciler:
    """Reconciles PlatformPolicies by name."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._counts = Counts(ctx.clock)

    async def reconcile(self, key: str) -> datetime | None:
        """Write what holds now, where it differs; return when to look again.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
        """
        policy = self._ctx.stores.platform.get(key)
        if policy is None or policy.deleting:
            self._counts.forget(key)
            return None
        now, wait = self._ctx.now(), self._counts.wait(key)
        freeze = freeze_of(policy, now)
        status = self._status(policy, freeze, now, count=not wait)
        if await write_status(self._ctx.kube, self._ctx.stores.platform, policy, status) is None:
            return None
        if not wait:
            self._counts.counted(key)
        thaws_at = freeze.until if freeze is not None else None
        times = (now + wait if wait else None, thaws_at)
        return min((time for time in times if time is not None), default=None)

    def _status(
        self, policy: PlatformPolicy, freeze: Freeze | None, now: datetime, *, count: bool
    ) -> PlatformPolicyStatus:
        status = policy.status.model_copy(deep=True)
        status.observed_generation = policy.metadata.generation
        if count:
            status.in_flight = in_flight(self._ctx.stores.targets.all())
        status.conditions = judged(
            status.conditions, [frozen(freeze)], now, policy.metadata.generation
        )
        return status
