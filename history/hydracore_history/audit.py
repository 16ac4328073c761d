"""Audit events: what agents did, and what they refused."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from hydracore_history.columns import clean
from hydracore_history.database import Database
from hydracore_history.event_tables import AuditEventRow

_IDS = uuid.UUID("6f1a7f0e-5b0b-5c7e-9d3a-0d6a5b6f3c11")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that an agent did or refused.

    Attributes:
        event_id: Of the agent's making; the same one again is the same event.
        event_ts: When, aware.
        event_type: What.
        source: Which part of the agent.
        outcome: ``success``, ``denied`` or ``error``.
        role: In which role the caller was.
        conversation_id: In which conversation.
        request_id: In answer to which request.
        server_slug: With which MCP server.
        tool_name: With which of its tools.
        details: More, as JSON.
        id: Made when it is stored.
        ingested_at: When it was stored, aware.
    """

    event_id: str
    event_ts: datetime
    event_type: str
    source: str
    outcome: str
    role: str | None = None
    conversation_id: str | None = None
    request_id: str | None = None
    server_slug: str | None = None
    tool_name: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    ingested_at: datetime | None = None


class AuditLog:
    """Stores audit events once, and reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, instance_id: str, events: Sequence[AuditEvent], *, namespace: str, at: datetime
    ) -> int:
        """Store events; those that are known already are left as they are.

        Args:
            instance_id: Whose they are.
            events: In any order; of several with one id the first counts.
            namespace: The tenant's namespace.
            at: When they came in, aware.

        Returns:
            How many were new.
        """
        unique = {event.event_id: event for event in reversed(events)}
        if not unique:
            return 0
        statement = (
            self._database.insert(AuditEventRow)
            .values([_values(instance_id, unique[key], namespace, at) for key in sorted(unique)])
            .on_conflict_do_nothing(
                index_elements=[AuditEventRow.instance_id, AuditEventRow.event_id]
            )
            .returning(AuditEventRow.event_id)
        )
        async with self._database.write() as session:
            return len(list(await session.scalars(statement)))

    async def list(self, instance_id: str, limit: int, offset: int) -> list[AuditEvent]:
        """Return an instance's events, newest first; ``offset`` leaves out so many of these."""
        query = (
            select(AuditEventRow)
            .where(AuditEventRow.instance_id == instance_id)
            .order_by(AuditEventRow.event_ts.desc(), AuditEventRow.event_id)
            .limit(limit)
            .offset(offset)
        )
        async with self._database.read() as session:
            return [_event(row) for row in await session.scalars(query)]

    async def counts(self, instance_id: str) -> dict[tuple[str, str], int]:
        """Return how many events there are of each ``(source, outcome)``."""
        query = (
            select(AuditEventRow.source, AuditEventRow.outcome, func.count())
            .where(AuditEventRow.instance_id == instance_id)
            .group_by(AuditEventRow.source, AuditEventRow.outcome)
        )
        async with self._database.read() as session:
            rows = await session.execute(query)
            return {(source, outcome): count for source, outcome, count in rows}


def _values(instance_id: str, event: AuditEvent, namespace: str, at: datetime) -> dict[Any, Any]:
    return {
        AuditEventRow.instance_id: instance_id,
        AuditEventRow.event_id: event.event_id,
        AuditEventRow.id: str(uuid.uuid5(_IDS, f"{instance_id}/{event.event_id}")),
        AuditEventRow.namespace: namespace,
        AuditEventRow.event_ts: event.event_ts,
        AuditEventRow.ingested_at: at,
        AuditEventRow.event_type: event.event_type,
        AuditEventRow.source: event.source,
        AuditEventRow.outcome: event.outcome,
        AuditEventRow.role: event.role,
        AuditEventRow.conversation_id: event.conversation_id,
        AuditEventRow.request_id: event.request_id,
        AuditEventRow.server_slug: event.server_slug,
        AuditEventRow.tool_name: event.tool_name,
        AuditEventRow.details: _storable(event.details),
    }


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): _storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value


def _event(row: AuditEventRow) -> AuditEvent:
    return AuditEvent(
        event_id=row.event_id,
        event_ts=row.event_ts,
        event_type=row.event_type,
        source=row.source,
        outcome=row.outcome,
        role=row.role,
        conversation_id=row.conversation_id,
        request_id=row.request_id,
        server_slug=row.server_slug,
        tool_name=row.tool_name,
        details=row.details,
        id=row.id,
        ingested_at=row.ingested_at,
    )
