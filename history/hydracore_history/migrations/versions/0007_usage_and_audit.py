"""What agents report: usage events with their daily sums, and audit events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)
APPEND_ONLY = ("usage_events", "audit_events")

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_usage()
    _create_audit()
    for table in APPEND_ONLY:
        if op.get_context().dialect.name == "postgresql":
            _guard_postgresql(table)
        else:
            _refuse(table, "UPDATE", "append_only_update")
            _refuse(table, "DELETE", "append_only_delete")


def _create_usage() -> None:
    op.create_table(
        "usage_events",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("ingested_at", TIME, nullable=False),
        sa.Column("provider", sa.String(length=253), nullable=False),
        sa.Column("model", sa.String(length=253), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=False),
        sa.Column("end_user_id", sa.String(length=253), nullable=True),
        sa.PrimaryKeyConstraint("instance_id", "event_id", name=op.f("pk_usage_events")),
    )
    op.create_index(
        "ix_usage_events_instance_id_occurred_at", "usage_events", ["instance_id", "occurred_at"]
    )
    op.create_table(
        "usage_daily",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "day", name=op.f("pk_usage_daily")),
    )


def _create_audit() -> None:
    op.create_table(
        "audit_events",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("event_ts", TIME, nullable=False),
        sa.Column("ingested_at", TIME, nullable=False),
        sa.Column("event_type", sa.String(length=63), nullable=False),
        sa.Column("source", sa.String(length=63), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=253), nullable=True),
        sa.Column("conversation_id", sa.String(length=128), nullable=True),
        sa.Column("request_id", sa.String(length=253), nullable=True),
        sa.Column("server_slug", sa.String(length=253), nullable=True),
        sa.Column("tool_name", sa.String(length=253), nullable=True),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "event_id", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_events_id")),
    )
    op.create_index(
        "ix_audit_events_instance_id_event_ts", "audit_events", ["instance_id", "event_ts"]
    )


def _guard_postgresql(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION hydracore_refuse()"
    )
    # Row triggers do not see TRUNCATE.
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION hydracore_refuse()"
    )


def _refuse(table: str, action: str, name: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} BEGIN SELECT "
        f"RAISE(ABORT, 'facts in {table} stay as they were written: {action} is refused'); END"
    )
