"""One UpdatePolicy: whether it counts, whether its window is open, how many are in flight."""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_core.windows import next_opens_at, window_state
from hydracore_crds import UpdatePolicy, conditions
from hydracore_crds.base import ConditionStatus, set_condition
from hydracore_crds.names import TENANT_LABEL
from hydracore_crds.update_policy import DEFAULT_NAME, UpdatePolicyStatus
from hydracore_kube import NotFound
from hydracore_operator.context import Context

COUNT_EVERY = timedelta(seconds=5)
"""Shortest time between two counts of what is in flight; every start and end of a push wakes us."""


class PolicyReconciler:
    """Reconciles UpdatePolicies by key."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._counted: dict[str, float] = {}

    async def reconcile(self, key: str) -> datetime | None:
        """Write what holds now, where it differs; return when to look again.

        That is the window's next edge, or sooner when a count of what is in flight is put off.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
        """
        policy = self._ctx.stores.policies.get(key)
        if policy is None or policy.deleting:
            self._counted.pop(key, None)
            return None
        now = self._ctx.now()
        wait = self._wait(key)
        status = self._status(policy, now, count=not wait)
        try:
            written = await self._ctx.kube.update_status(policy, status)
        except NotFound:
            self._ctx.stores.policies.remove(key, policy.metadata.uid)
            return None
        self._ctx.stores.policies.upsert(written)
        edge = window_state(policy.spec.maintenance_window, now).next_change
        if wait:
            return now + wait if edge is None else min(now + wait, edge)
        self._counted[key] = self._ctx.clock.monotonic()
        return edge

    def _wait(self, key: str) -> timedelta:
        """Return how long the next count is put off."""
        counted = self._counted.get(key)
        if counted is None:
            return timedelta()
        passed = timedelta(seconds=self._ctx.clock.monotonic() - counted)
        return max(COUNT_EVERY - passed, timedelta())

    def _status(self, policy: UpdatePolicy, now: datetime, *, count: bool) -> UpdatePolicyStatus:
        namespace = policy.metadata.namespace or ""
        window = policy.spec.maintenance_window
        verdict, reason, message = self._accepted(policy, namespace)
        status = policy.status.model_copy(deep=True)
        status.observed_generation = policy.metadata.generation
        status.window_open = window_state(window, now).open
        status.next_opens_at = next_opens_at(window, now)
        if count:
            status.in_flight = sum(
                target.status.state == "in_progress"
                for target in self._ctx.stores.targets.in_namespace(namespace)
            )
        status.conditions = set_condition(
            status.conditions,
            conditions.ACCEPTED,
            verdict,
            reason=reason,
            message=message,
            now=now,
            generation=policy.metadata.generation,
        )
        return status

    def _accepted(self, policy: UpdatePolicy, namespace: str) -> tuple[ConditionStatus, str, str]:
        if policy.metadata.name != DEFAULT_NAME:
            text = f"only the policy named {DEFAULT_NAME!r} counts: create it under that name"
            return "False", conditions.NOT_DEFAULT_NAME, text
        found = self._ctx.stores.namespaces.get(namespace)
        if found is None or found.tenant_id is None:
            text = f"the namespace {namespace} is no tenant: label it with {TENANT_LABEL}"
            return "False", conditions.NOT_A_TENANT, text
        return "True", conditions.ACCEPTED, f"holds for the tenant {found.tenant_id}"
