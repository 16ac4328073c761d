"""Rules of audit events: they are read from SQL, newest first."""

from __future__ import annotations

from collections import Counter

from hydracore_api.audit.schemas import AuditEventView, AuditSummary
from hydracore_api.auth.principal import Principal
from hydracore_api.instances.lookup import find
from hydracore_api.services import Services
from hydracore_history import AuditEvent


async def list_(
    services: Services, principal: Principal, id_: str, limit: int, offset: int
) -> list[AuditEventView]:
    """Return an instance's audit events.

    Raises:
        NotFound: There is no such instance.
    """
    await find(services, principal, id_)
    return [_view(one) for one in await services.history.audit.list(id_, limit, offset)]


async def summary(services: Services, principal: Principal, id_: str) -> AuditSummary:
    """Count an instance's audit events.

    Raises:
        NotFound: There is no such instance.
    """
    await find(services, principal, id_)
    sources: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for (source, outcome), count in (await services.history.audit.counts(id_)).items():
        sources[source] += count
        outcomes[outcome] += count
    return AuditSummary(
        total_events=outcomes.total(),
        success_events=outcomes["success"],
        denied_events=outcomes["denied"],
        error_events=outcomes["error"],
        by_source=dict(sorted(sources.items())),
    )


def _view(event: AuditEvent) -> AuditEventView:
    return AuditEventView(
        id=event.id,
        event_id=event.event_id,
        event_ts=event.event_ts,
        event_type=event.event_type,
        source=event.source,
        outcome=event.outcome,
        role=event.role,
        conversation_id=event.conversation_id,
        request_id=event.request_id,
        server_slug=event.server_slug,
        tool_name=event.tool_name,
        metadata_json=event.details,
        ingested_at=event.ingested_at,
    )
