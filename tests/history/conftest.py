"""A fresh, migrated SQLite database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hydracore_history import History


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"


@pytest.fixture
async def history(database_url: str) -> AsyncIterator[History]:
    found = History(database_url, timeout_seconds=5)
    await found.migrate()
    yield found
    await found.close()


@pytest.fixture
def at() -> datetime:
    return datetime(2030, 5, 1, 12, 0, 0, 123000, tzinfo=UTC)
