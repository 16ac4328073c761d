"""What tenants' webhooks were to be told, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)
TABLE = "notifications"
FIXED = ("id", "webhook", "namespace", "subject_uid", "event", "body", "created_at")

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("webhook", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("subject_uid", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=63), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", "webhook", name=op.f("pk_notifications")),
    )
    op.create_index("ix_notifications_namespace_ended_at", TABLE, ["namespace", "ended_at"])
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in FIXED)
    op.execute(
        f"CREATE TRIGGER {TABLE}_append_only BEFORE DELETE ON {TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION hydracore_refuse()"
    )
    op.execute(
        f"CREATE TRIGGER {TABLE}_write_once BEFORE UPDATE ON {TABLE} "
        f"FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL OR {changed}) "
        "EXECUTE FUNCTION hydracore_refuse()"
    )
    # Row triggers do not see TRUNCATE.
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION hydracore_refuse()"
    )


def _guard_sqlite() -> None:
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in FIXED)
    _refuse("DELETE", "append_only_delete", "")
    _refuse("UPDATE", "write_once", f"WHEN OLD.ended_at IS NOT NULL OR {changed}")


def _refuse(action: str, name: str, condition: str) -> None:
    op.execute(
        f"CREATE TRIGGER {TABLE}_{name} BEFORE {action} ON {TABLE} {condition} BEGIN SELECT "
        f"RAISE(ABORT, 'facts in {TABLE} stay as they were written: {action} is refused'); END"
    )
