"""The tables. ``migrations/`` brings a database to exactly this; a test compares the two."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hydracore_history.columns import FreeText, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

RULE = "hydracore_rule"
APPEND_ONLY = {"info": {RULE: "append-only"}}
"""Rows are facts: the database refuses to change or delete them (triggers in the migrations)."""
WRITE_ONCE = {"info": {RULE: "write-once"}}
"""Like append-only, but for columns that are still empty: they may be filled, once."""
CURRENT = {"info": {RULE: "current"}}
"""Rows say what is now: they change, and go with what they describe."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
    }


class ProvisionLogHead(Base):
    """The last line number of an instance's log; its row serialises the writers of one log."""

    __tablename__ = "provision_log_heads"
    __table_args__ = (CURRENT,)

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_seq: Mapped[int] = mapped_column(Integer)


class ProvisionLogLine(Base):
    """One line of an instance's provision log."""

    __tablename__ = "provision_log"
    __table_args__ = (
        Index("ix_provision_log_instance_id_dedup_key", "instance_id", "dedup_key", unique=True),
        APPEND_ONLY,
    )

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    stage: Mapped[str] = mapped_column(String(63))
    level: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(FreeText)
    dedup_key: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]


class CredentialRow(Base):
    """Hashes of an instance's bootstrap token and agent key."""

    __tablename__ = "credentials"
    __table_args__ = (CURRENT,)

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    namespace: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(63))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    key_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    public_key: Mapped[str | None] = mapped_column(String(64))
    armed: Mapped[bool]
    issued_at: Mapped[datetime | None]
    first_heartbeat_at: Mapped[datetime | None]


class StageRow(Base):
    """The newest stage report of an instance."""

    __tablename__ = "stage_reports"
    __table_args__ = (CURRENT,)

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    stage: Mapped[str] = mapped_column(String(63))
    seq: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(FreeText)
    since: Mapped[datetime] = mapped_column("reported_at")


class HealthTable(Base):
    """The last heartbeat and the last poll of an instance."""

    __tablename__ = "instance_health"
    __table_args__ = (CURRENT,)

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    last_heartbeat: Mapped[datetime | None]
    versions: Mapped[dict[str, Any] | None]
    versions_reported_at: Mapped[datetime | None]
    health_status: Mapped[str | None] = mapped_column(String(32))
    uptime_seconds: Mapped[int | None] = mapped_column(BigInteger)
    last_poll_at: Mapped[datetime | None]
    last_status: Mapped[dict[str, Any] | None]
    last_error: Mapped[str | None] = mapped_column(FreeText)
    latency_ms: Mapped[float | None] = mapped_column(Float)
    versions_digest: Mapped[str | None] = mapped_column(String(64))
    versions_changed_at: Mapped[datetime | None]
    deep_health: Mapped[dict[str, Any] | None]
    deep_health_at: Mapped[datetime | None]
    deep_health_error: Mapped[str | None] = mapped_column(FreeText)


class TombstoneRow(Base):
    """What is kept of a deleted Instance."""

    __tablename__ = "tombstones"
    __table_args__ = (APPEND_ONLY,)

    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(63), index=True)
    namespace: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(63))
    customer_id: Mapped[str | None] = mapped_column(String(253))
    snapshot: Mapped[dict[str, Any]]
    deleted_at: Mapped[datetime]


class IdempotencyRow(Base):
    """A tenant's idempotency key and what it stands for. Never freed, also not by deletion."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (WRITE_ONCE,)

    tenant_id: Mapped[str] = mapped_column(String(63), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    instance_id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(63))
    task_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class ApiKeyRow(Base):
    """An API key: keyed hash, visible prefix and what it may do."""

    __tablename__ = "api_keys"
    __table_args__ = (CURRENT,)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(63), index=True)
    namespace: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(253))
    prefix: Mapped[str] = mapped_column(String(32))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    admin: Mapped[bool]
    tenant_wide: Mapped[bool]
    created_by: Mapped[str] = mapped_column(String(253))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class ArchiveHead(Base):
    """The newest revision of an archived Rollout; its row serialises the writers of one archive."""

    __tablename__ = "rollout_archive_heads"
    __table_args__ = (CURRENT,)

    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))


class ArchivedRolloutRow(Base):
    """A finished or deleted Rollout in its wire form, as it was when it was archived."""

    __tablename__ = "rollout_archive"
    __table_args__ = (
        Index("ix_rollout_archive_namespace_created_at", "namespace", "created_at"),
        APPEND_ONLY,
    )

    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant_id: Mapped[str] = mapped_column(String(63))
    namespace: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(63))
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime]
    rollout: Mapped[dict[str, Any]]


class ArchivedTargetRow(Base):
    """A RolloutTarget of an archived Rollout in its wire form."""

    __tablename__ = "rollout_archive_targets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["rollout_uid", "revision"], ["rollout_archive.uid", "rollout_archive.revision"]
        ),
        Index("ix_rollout_archive_targets_instance_id_created_at", "instance_id", "created_at"),
        APPEND_ONLY,
    )

    rollout_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    instance_id: Mapped[str] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    wire: Mapped[dict[str, Any]]


class ExecutionRow(Base):
    """A piece of work that has begun; the same one, under whatever uid, does not begin again."""

    __tablename__ = "executions"
    __table_args__ = (APPEND_ONLY,)

    kind: Mapped[str] = mapped_column(String(63), primary_key=True)
    namespace: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    spec_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    uid: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]


class ActionArchiveHead(Base):
    """The newest revision of an archived InstanceAction; its row serialises its writers."""

    __tablename__ = "action_archive_heads"
    __table_args__ = (CURRENT,)

    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))


class ArchivedActionRow(Base):
    """A finished or deleted InstanceAction in its wire form, as it was when it was archived."""

    __tablename__ = "action_archive"
    __table_args__ = (
        Index("ix_action_archive_namespace_created_at", "namespace", "created_at"),
        Index("ix_action_archive_instance_id_created_at", "instance_id", "created_at"),
        APPEND_ONLY,
    )

    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant_id: Mapped[str] = mapped_column(String(63))
    namespace: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(63))
    instance_name: Mapped[str] = mapped_column(String(63))
    instance_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime]
    wire: Mapped[dict[str, Any]]


class NotificationRow(Base):
    """A message that a tenant's webhook was to get, and, once that is known, how it ended."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_namespace_ended_at", "namespace", "ended_at"),
        WRITE_ONCE,
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    webhook: Mapped[str] = mapped_column(String(63), primary_key=True)
    namespace: Mapped[str] = mapped_column(String(63))
    subject_uid: Mapped[str] = mapped_column(String(64))
    event: Mapped[str] = mapped_column(String(63))
    body: Mapped[str] = mapped_column(FreeText)
    created_at: Mapped[datetime]
    outcome: Mapped[str | None] = mapped_column(String(16))
    fault: Mapped[str | None] = mapped_column(FreeText)
    ended_at: Mapped[datetime | None]
