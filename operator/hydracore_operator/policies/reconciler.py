"""One UpdatePolicy: whether it counts, whether its window is open, how many are in flight."""

from __future__ import annotations

from datetime import datetime

from hydracore_core.windows import next_opens_at, window_state
from hydracore_crds import UpdatePolicy, conditions
from hydracore_crds.base import ConditionStatus, set_condition
from hydracore_crds.names import TENANT_LABEL
from hydracore_crds.update_policy import DEFAULT_NAME, UpdatePolicyStatus
from hydracore_kube import NotFound

from hydracore_operator.context import Context


class PolicyReconciler:
    """Reconciles UpdatePolicies by key."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def reconcile(self, key: str) -> datetime | None:
        """Write what holds now, where it differs; return the window's next edge.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
        """
        policy = self._ctx.stores.policies.get(key)
        if policy is None or policy.deleting:
            return None
        now = self._ctx.now()
        status = self._status(policy, now)
        try:
            written = await self._ctx.kube.update_status(policy, status)
        except NotFound:
            self._ctx.stores.policies.remove(key, policy.metadata.uid)
            return None
        self._ctx.stores.policies.upsert(written)
        return window_state(policy.spec.maintenance_window, now).next_change

    def _status(self, policy: UpdatePolicy, now: datetime) -> UpdatePolicyStatus:
        namespace = policy.metadata.namespace or ""
        window = policy.spec.maintenance_window
        verdict, reason, message = self._accepted(policy, namespace)
        status = policy.status.model_copy(deep=True)
        status.observed_generation = policy.metadata.generation
        status.window_open = window_state(window, now).open
        status.next_opens_at = next_opens_at(window, now)
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
