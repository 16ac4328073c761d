"""What people see of their webhooks: one condition of the UpdatePolicy and the public key. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hydracore_crds import UpdatePolicy
from hydracore_crds.base import ConditionStatus, set_condition
from hydracore_crds.conditions import DELIVERED, GIVEN_UP, NOTIFICATIONS_DELIVERED, RETRYING
from hydracore_crds.update_policy import UpdatePolicyStatus
from hydracore_history import Notification


def with_notifications(
    policy: UpdatePolicy,
    *,
    faults: Mapping[str, str],
    latest: Sequence[Notification],
    public_key: str,
    now: datetime,
) -> UpdatePolicyStatus:
    """Return a policy's status with what is to be said of its webhooks.

    Args:
        policy: With or without webhooks; without any, nothing is said.
        faults: Why a webhook's oldest open notification was not taken, by the webhook's name.
        latest: What was delivered or given up last, of each webhook.
        public_key: With which receivers verify.
        now: The time of a change.
    """
    status = policy.status.model_copy(deep=True)
    if not policy.spec.notifications:
        status.webhook_public_key = None
        status.conditions = [c for c in status.conditions if c.type != NOTIFICATIONS_DELIVERED]
        return status
    flag, reason, message = _verdict(faults, latest)
    status.webhook_public_key = public_key
    status.conditions = set_condition(
        status.conditions,
        NOTIFICATIONS_DELIVERED,
        flag,
        reason=reason,
        message=message,
        now=now,
        generation=policy.metadata.generation,
    )
    return status


def _verdict(
    faults: Mapping[str, str], latest: Sequence[Notification]
) -> tuple[ConditionStatus, str, str]:
    if faults:
        said = "; ".join(f"{name}: {fault}" for name, fault in sorted(faults.items()))
        return "False", RETRYING, f"{said}. Tried again for a day"
    lost = sorted((n.webhook, n.fault or "") for n in latest if n.outcome == "given_up")
    if lost:
        said = "; ".join(f"{name}: {fault}" for name, fault in lost)
        return "False", GIVEN_UP, f"the newest notification was given up: {said}"
    return "True", DELIVERED, "every webhook took what it was told"
