"""Wire forms of audit events."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hydracore_api.wire import TimeText, View


class AuditEventView(View):
    """Something that the agent did or refused."""

    id: str = Field(description="Made when it was stored.")
    event_id: str = Field(description="Made by the agent.")
    event_ts: TimeText
    event_type: str
    source: str = Field(description="Which part of the agent.")
    outcome: str = Field(description="success, denied or error.")
    role: str | None
    conversation_id: str | None
    request_id: str | None
    server_slug: str | None
    tool_name: str | None
    metadata_json: dict[str, Any]
    ingested_at: TimeText


class AuditSummary(View):
    """How many audit events there are."""

    total_events: int
    success_events: int
    denied_events: int
    error_events: int
    by_source: dict[str, int]
