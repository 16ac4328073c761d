"""Latency of polls, what an agent found when it examined itself, since when a manifest holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("latency_ms", sa.Float(), nullable=True),
        sa.Column("versions_digest", sa.String(length=64), nullable=True),
        sa.Column("versions_changed_at", TIME, nullable=True),
        sa.Column("deep_health", JSON, nullable=True),
        sa.Column("deep_health_at", TIME, nullable=True),
        sa.Column("deep_health_error", sa.Text(), nullable=True),
    ):
        op.add_column("instance_health", column)
    # Of manifests stored before, no more is known than when they were last reported.
    op.execute("UPDATE instance_health SET versions_changed_at = versions_reported_at")
