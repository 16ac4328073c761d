"""When stories begin."""

from __future__ import annotations

from datetime import UTC, datetime

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVENING = datetime(2026, 3, 2, 21, 50, tzinfo=UTC)
