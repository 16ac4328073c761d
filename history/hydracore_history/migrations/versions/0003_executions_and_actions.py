"""What has already run, and the archive of InstanceActions; both are kept by the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)

APPEND_ONLY = ("executions", "action_archive")

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_executions()
    _create_actions()
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _create_executions() -> None:
    op.create_table(
        "executions",
        sa.Column("kind", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("spec_hash", sa.String(length=64), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint(
            "kind", "namespace", "name", "spec_hash", name=op.f("pk_executions")
        ),
    )


def _create_actions() -> None:
    op.create_table(
        "action_archive_heads",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_action_archive_heads")),
    )
    op.create_table(
        "action_archive",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("instance_name", sa.String(length=63), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("archived_at", TIME, nullable=False),
        sa.Column("wire", JSON, nullable=False),
        sa.PrimaryKeyConstraint("uid", "revision", name=op.f("pk_action_archive")),
    )
    op.create_index(
        "ix_action_archive_namespace_created_at", "action_archive", ["namespace", "created_at"]
    )
    op.create_index(
        "ix_action_archive_instance_id_created_at",
        "action_archive",
        ["instance_id", "created_at"],
    )


def _guard_postgresql() -> None:
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION hydracore_refuse()"
        )
        # Row triggers do not see TRUNCATE.
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hydracore_refuse()"
        )


def _guard_sqlite() -> None:
    for table in APPEND_ONLY:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_append_only_{action.lower()} BEFORE {action} ON {table} "
                "BEGIN SELECT RAISE(ABORT, "
                f"'facts in {table} stay as they were written: {action} is refused'); END"
            )
