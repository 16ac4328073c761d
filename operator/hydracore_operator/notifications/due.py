"""What a tenant's webhooks are to be told, as things stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from hydracore_core.notifications.message import body, greeting
from hydracore_core.notifications.occurrences import (
    CONFIGURED,
    Occurrence,
    greeting_id,
    message_id,
    occurrences,
)
from hydracore_core.notifications.schedule import GIVE_UP_AFTER
from hydracore_crds import Rollout, UpdatePolicy
from hydracore_crds.webhook import Webhook
from hydracore_history import Notification


def due(
    policy: UpdatePolicy,
    rollouts: Iterable[Rollout],
    since: Mapping[str, datetime],
    *,
    tenant_id: str,
    now: datetime,
) -> Iterator[Notification]:
    """Yield a greeting for each webhook, then what happened since that was recorded.

    Args:
        policy: The tenant's, with its webhooks.
        rollouts: The tenant's.
        since: When each webhook was greeted, by its name; absent means just now.
        tenant_id: The tenant's id.
        now: When what is new is recorded.
    """
    webhooks = policy.spec.notifications or []
    for webhook in webhooks:
        yield _greeting(policy, webhook, tenant_id, now)
    for rollout in rollouts:
        for found in occurrences(rollout):
            told = [
                webhook.name
                for webhook in webhooks
                if webhook.wants(found.event)
                and not _is_old(found, since.get(webhook.name, now), now)
            ]
            yield from _told(rollout, found, told, tenant_id, now)


def _greeting(
    policy: UpdatePolicy, webhook: Webhook, tenant_id: str, now: datetime
) -> Notification:
    namespace = policy.metadata.namespace or ""
    return Notification(
        id=greeting_id(policy, webhook),
        webhook=webhook.name,
        namespace=namespace,
        subject_uid=policy.metadata.uid,
        event=CONFIGURED,
        body=greeting(webhook, tenant_id=tenant_id, namespace=namespace, now=now),
        created_at=now,
    )


def _told(
    rollout: Rollout, found: Occurrence, webhooks: list[str], tenant_id: str, now: datetime
) -> Iterator[Notification]:
    text = body(rollout, found, tenant_id=tenant_id, now=now) if webhooks else ""
    for webhook in webhooks:
        yield Notification(
            id=message_id(rollout.metadata.uid, found),
            webhook=webhook,
            namespace=rollout.metadata.namespace or "",
            subject_uid=rollout.metadata.uid,
            event=found.event,
            body=text,
            created_at=now,
        )


def _is_old(found: Occurrence, known: datetime, now: datetime) -> bool:
    """Whether it happened before a webhook was there, or so long ago that it is no news."""
    if found.since is None:
        return False
    return found.since < known or now - found.since > GIVE_UP_AFTER
