"""Tables of what agents report: usage and audit events, and the daily sums of the former."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hydracore_history.tables import APPEND_ONLY, CURRENT, Base


class UsageEventRow(Base):
    """One call of a language model. Money is in billionths of a dollar, so that sums are exact."""

    __tablename__ = "usage_events"
    __table_args__ = (
        Index("ix_usage_events_instance_id_occurred_at", "instance_id", "occurred_at"),
        APPEND_ONLY,
    )

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    namespace: Mapped[str] = mapped_column(String(63))
    occurred_at: Mapped[datetime]
    ingested_at: Mapped[datetime]
    provider: Mapped[str] = mapped_column(String(253))
    model: Mapped[str] = mapped_column(String(253))
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_nano_usd: Mapped[int] = mapped_column(BigInteger)
    end_user_id: Mapped[str | None] = mapped_column(String(253))


class UsageDayRow(Base):
    """The sums of one instance's usage events of one day (UTC), kept as the events come in."""

    __tablename__ = "usage_daily"
    __table_args__ = (CURRENT,)

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_nano_usd: Mapped[int] = mapped_column(BigInteger)


class AuditEventRow(Base):
    """Something that an agent did or refused."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_instance_id_event_ts", "instance_id", "event_ts"),
        APPEND_ONLY,
    )

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), unique=True)
    namespace: Mapped[str] = mapped_column(String(63))
    event_ts: Mapped[datetime]
    ingested_at: Mapped[datetime]
    event_type: Mapped[str] = mapped_column(String(63))
    source: Mapped[str] = mapped_column(String(63))
    outcome: Mapped[str] = mapped_column(String(16))
    role: Mapped[str | None] = mapped_column(String(253))
    conversation_id: Mapped[str | None] = mapped_column(String(128))
    request_id: Mapped[str | None] = mapped_column(String(253))
    server_slug: Mapped[str | None] = mapped_column(String(253))
    tool_name: Mapped[str | None] = mapped_column(String(253))
    details: Mapped[dict[str, Any]] = mapped_column("metadata")
