"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _keys()
    _enrolment()
    _health()
    _archive()


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("prefix", sa.String(length=32), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("tenant_wide", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(length=253), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_tenant_id"), "api_keys", ["tenant_id"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("task_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_idempotency_keys_instance_id")),
    )


def _enrolment() -> None:
    op.create_table(
        "credentials",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=True),
        sa.Column("public_key", sa.String(length=64), nullable=True),
        sa.Column("armed", sa.Boolean(), nullable=False),
        sa.Column("issued_at", TIME, nullable=True),
        sa.Column("first_heartbeat_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_credentials_key_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_credentials_token_hash")),
    )
    op.create_table(
        "provision_log",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(length=63), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.String(length=255), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "seq", name=op.f("pk_provision_log")),
    )
    op.create_index(
        "ix_provision_log_instance_id_dedup_key",
        "provision_log",
        ["instance_id", "dedup_key"],
        unique=True,
    )

    op.create_table(
        "provision_log_heads",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_provision_log_heads")),
    )
    op.create_table(
        "stage_reports",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=63), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("reported_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_stage_reports")),
    )


def _health() -> None:
    op.create_table(
        "instance_health",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_heartbeat", TIME, nullable=True),
        sa.Column("versions", JSON, nullable=True),
        sa.Column("versions_reported_at", TIME, nullable=True),
        sa.Column("health_status", sa.String(length=32), nullable=True),
        sa.Column("uptime_seconds", sa.BigInteger(), nullable=True),
        sa.Column("last_poll_at", TIME, nullable=True),
        sa.Column("last_status", JSON, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_instance_health")),
    )
    op.create_table(
        "tombstones",
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("customer_id", sa.String(length=253), nullable=True),
        sa.Column("snapshot", JSON, nullable=False),
        sa.Column("deleted_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_tombstones")),
    )
    op.create_index(op.f("ix_tombstones_tenant_id"), "tombstones", ["tenant_id"], unique=False)


def _archive() -> None:
    op.create_table(
        "archived_rollouts",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("archived_at", TIME, nullable=False),
        sa.Column("rollout", JSON, nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_archived_rollouts")),
    )
    op.create_index(
        "ix_archived_rollouts_namespace_created_at",
        "archived_rollouts",
        ["namespace", "created_at"],
        unique=False,
    )

    op.create_table(
        "archived_rollout_targets",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("rollout_uid", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("wire", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_uid"],
            ["archived_rollouts.uid"],
            name=op.f("fk_archived_rollout_targets_rollout_uid"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_archived_rollout_targets")),
    )
    op.create_index(
        "ix_archived_rollout_targets_instance_id_created_at",
        "archived_rollout_targets",
        ["instance_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_archived_rollout_targets_rollout_uid"),
        "archived_rollout_targets",
        ["rollout_uid"],
        unique=False,
    )
