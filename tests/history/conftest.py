"""A history on each kind of database, and a time to write into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from hydracore_history import History
from tests.support.databases import (
    database_url,
    empty_postgres_url,
    empty_sqlite_url,
    empty_url,
    postgres_model,
    postgres_url,
    sqlite_model,
    sqlite_url,
)

__all__ = [
    "database_url",
    "empty_postgres_url",
    "empty_sqlite_url",
    "empty_url",
    "postgres_model",
    "postgres_url",
    "sqlite_model",
    "sqlite_url",
]


@pytest.fixture
async def history(database_url: str) -> AsyncIterator[History]:
    """A history in ``database_url``."""
    found = History(database_url, timeout_seconds=5)
    yield found
    await found.close()


@pytest.fixture
def at() -> datetime:
    """A time with milliseconds, as the clocks of operator and API have it."""
    return datetime(2030, 5, 1, 12, 0, 0, 123000, tzinfo=UTC)
