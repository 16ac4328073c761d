"""Rules of agents' events: an agent speaks of itself, each event counts once."""

from __future__ import annotations

from datetime import UTC, datetime

from hydracore_api.agent.event_schemas import AuditBatch, EventsTaken, UsageBatch
from hydracore_api.auth.agents import same_instance
from hydracore_api.services import Services
from hydracore_history import AuditEvent, Credential, UsageEvent


async def take_usage(services: Services, credential: Credential, batch: UsageBatch) -> EventsTaken:
    """Store usage events.

    Raises:
        Forbidden: They are another instance's.
        HistoryUnavailable: They could not be stored; none of them is.
    """
    same_instance(credential, batch.instance_id)
    now = services.now()
    events = [
        UsageEvent(
            event_id=one.event_id,
            occurred_at=_no_later(one.occurred_at, now),
            provider=one.provider,
            model=one.model,
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cost_usd=one.cost_usd,
            end_user_id=one.end_user_id,
        )
        for one in batch.events
    ]
    new = await services.history.usage.record(
        batch.instance_id, events, namespace=credential.namespace, at=now
    )
    return EventsTaken(accepted=new, duplicates=len(events) - new)


async def take_audit(services: Services, credential: Credential, batch: AuditBatch) -> EventsTaken:
    """Store audit events.

    Raises:
        Forbidden: They are another instance's.
        HistoryUnavailable: They could not be stored; none of them is.
    """
    same_instance(credential, batch.instance_id)
    now = services.now()
    events = [
        AuditEvent(
            **one.model_dump(exclude={"event_ts", "metadata_json"}),
            event_ts=_no_later(one.event_ts, now),
            details=one.metadata_json,
        )
        for one in batch.events
    ]
    new = await services.history.audit.record(
        batch.instance_id, events, namespace=credential.namespace, at=now
    )
    return EventsTaken(accepted=new, duplicates=len(events) - new)


def _no_later(told: datetime, now: datetime) -> datetime:
    """Return an event's time; a server whose clock runs ahead puts nothing into the future."""
    return min(told.astimezone(UTC), now)
