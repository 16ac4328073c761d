"""Facts that never change are kept by the database itself.

Triggers refuse to change or delete them. Archived rollouts, which were replaced in place until
now, become revisions: archiving again adds one, and a head names the newest.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)
UNKNOWN_DIGEST = ""

APPEND_ONLY = ("provision_log", "tombstones", "rollout_archive", "rollout_archive_targets")
CLAIM = ("tenant_id", "key", "body_hash", "instance_id", "name", "created_at")

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_archive()
    _copy_archive()
    # The targets first: they refer to the rollouts, and deletion there would cascade.
    op.drop_table("archived_rollout_targets")
    op.drop_table("archived_rollouts")
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _create_archive() -> None:
    op.create_table(
        "rollout_archive_heads",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_rollout_archive_heads")),
    )
    op.create_table(
        "rollout_archive",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("archived_at", TIME, nullable=False),
        sa.Column("rollout", JSON, nullable=False),
        sa.PrimaryKeyConstraint("uid", "revision", name=op.f("pk_rollout_archive")),
    )
    op.create_index(
        "ix_rollout_archive_namespace_created_at", "rollout_archive", ["namespace", "created_at"]
    )
    op.create_table(
        "rollout_archive_targets",
        sa.Column("rollout_uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("wire", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_uid", "revision"],
            ["rollout_archive.uid", "rollout_archive.revision"],
            name=op.f("fk_rollout_archive_targets_rollout_uid"),
        ),
        sa.PrimaryKeyConstraint(
            "rollout_uid", "revision", "uid", name=op.f("pk_rollout_archive_targets")
        ),
    )
    op.create_index(
        "ix_rollout_archive_targets_instance_id_created_at",
        "rollout_archive_targets",
        ["instance_id", "created_at"],
    )


def _copy_archive() -> None:
    rollout = "tenant_id, namespace, name, created_at, archived_at, rollout"
    target = "instance_id, position, created_at, wire"
    op.execute(
        f"INSERT INTO rollout_archive (uid, revision, {rollout}) "  # noqa: S608  # fixed names
        f"SELECT uid, 1, {rollout} FROM archived_rollouts"
    )
    op.execute(
        "INSERT INTO rollout_archive_targets "  # noqa: S608  # fixed names
        f"(rollout_uid, revision, uid, {target}) "
        f"SELECT rollout_uid, 1, uid, {target} FROM archived_rollout_targets"
    )
    op.execute(
        "INSERT INTO rollout_archive_heads (uid, revision, digest) "  # noqa: S608  # fixed names
        f"SELECT uid, 1, '{UNKNOWN_DIGEST}' FROM archived_rollouts"
    )


def _guard_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION hydracore_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'facts in % stay as they were written: % is refused',
                TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION hydracore_refuse()"
        )
    changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in CLAIM)
    op.execute(
        "CREATE TRIGGER idempotency_keys_append_only BEFORE DELETE ON idempotency_keys "
        "FOR EACH ROW EXECUTE FUNCTION hydracore_refuse()"
    )
    op.execute(
        "CREATE TRIGGER idempotency_keys_write_once BEFORE UPDATE ON idempotency_keys "
        f"FOR EACH ROW WHEN (OLD.task_id IS NOT NULL OR {changed}) "
        "EXECUTE FUNCTION hydracore_refuse()"
    )
    # Row triggers do not see TRUNCATE.
    for table in (*APPEND_ONLY, "idempotency_keys"):
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hydracore_refuse()"
        )


def _guard_sqlite() -> None:
    for table in APPEND_ONLY:
        _refuse(table, "UPDATE", "append_only_update")
        _refuse(table, "DELETE", "append_only_delete")
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in CLAIM)
    _refuse("idempotency_keys", "DELETE", "append_only_delete")
    _refuse(
        "idempotency_keys", "UPDATE", "write_once", f"WHEN OLD.task_id IS NOT NULL OR {changed}"
    )


def _refuse(table: str, action: str, name: str, condition: str = "") -> None:
    op.execute(
        f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} {condition} BEGIN SELECT "
        f"RAISE(ABORT, 'facts in {table} stay as they were written: {action} is refused'); END"
    )
