"""One UpdatePolicy: whether it counts, whether its windows are open, how many are in flight."""

from __future__ import annotations

from datetime import datetime

from hydracore_core.platform.freeze import Freeze, freeze_of
from hydracore_core.windows import WindowState, window_state
from hydracore_crds import UpdatePolicy, conditions
from hydracore_crds.base import find
from hydracore_crds.names import TENANT_LABEL
from hydracore_crds.platform_policy import DEFAULT_NAME as PLATFORM_DEFAULT
from hydracore_crds.update_policy import DEFAULT_NAME, UpdatePolicyStatus
from hydracore_operator.context import Context
from hydracore_operator.policies.counts import Counts, in_flight
from hydracore_operator.policies.verdicts import Verdict, frozen, judged, valid, window_open
from hydracore_operator.status_writes import write_status


class PolicyReconciler:
    """Reconciles UpdatePolicies by key."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._counts = Counts(ctx.clock)
        self._written: dict[str, tuple[object, ...]] = {}

    async def reconcile(self, key: str) -> datetime | None:
        """Write what holds now, where it differs; return when to look again.

        That is when the windows change what may be said of them, when a freeze of the platform
        ends, or sooner when a count of what is in flight is put off.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
        """
        policy = self._ctx.stores.policies.get(key)
        if policy is None or policy.deleting:
            self._counts.forget(key)
            self._written.pop(key, None)
            return None
        now = self._ctx.now()
        wait = self._counts.wait(key)
        window = window_state(policy, now)
        freeze = freeze_of(self._ctx.stores.platform.get(PLATFORM_DEFAULT), now)
        thaws_at = freeze.until if freeze is not None else None
        times = (window.wake_at, thaws_at, now + wait if wait else None)
        again = min((time for time in times if time is not None), default=None)
        tenant = self._ctx.stores.namespaces.get(policy.metadata.namespace or "")
        said = (window, freeze, tenant)
        if wait and self._written.get(key) == (policy.metadata.resource_version, *said):
            return again
        status = self._status(policy, window, freeze, now, count=not wait)
        written = await write_status(self._ctx.kube, self._ctx.stores.policies, policy, status)
        if written is None:
            return None
        self._written[key] = (written.metadata.resource_version, *said)
        if not wait:
            self._counts.counted(key)
        return again

    def _status(
        self,
        policy: UpdatePolicy,
        window: WindowState,
        freeze: Freeze | None,
        now: datetime,
        *,
        count: bool,
    ) -> UpdatePolicyStatus:
        namespace, generation = policy.metadata.namespace or "", policy.metadata.generation
        status = policy.status.model_copy(deep=True)
        status.observed_generation = generation
        status.window_open = window.open
        status.next_opens_at = None if window.open else window.next_change
        if count:
            status.in_flight = in_flight(self._ctx.stores.targets.in_namespace(namespace))
        verdicts = [self._accepted(policy, namespace), valid(policy), window_open(window)]
        if freeze is not None or find(status.conditions, conditions.FROZEN) is not None:
            verdicts.append(frozen(freeze))
        status.conditions = judged(status.conditions, verdicts, now, generation)
        return status

    def _accepted(self, policy: UpdatePolicy, namespace: str) -> Verdict:
        if policy.metadata.name != DEFAULT_NAME:
            text = f"only the policy named {DEFAULT_NAME!r} counts: create it under that name"
            return Verdict(conditions.ACCEPTED, "False", conditions.NOT_DEFAULT_NAME, text)
        found = self._ctx.stores.namespaces.get(namespace)
        if found is None or found.tenant_id is None:
            text = f"the namespace {namespace} is no tenant: label it with {TENANT_LABEL}"
            return Verdict(conditions.ACCEPTED, "False", conditions.NOT_A_TENANT, text)
        text = f"holds for the tenant {found.tenant_id}"
        return Verdict(conditions.ACCEPTED, "True", conditions.ACCEPTED, text)
