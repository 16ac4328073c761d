"""Fresh databases: every test that asks for ``database_url`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hydracore_history import History

from tests.support.postgres.server import PostgresServer


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that is not there yet: ``history.db`` in the test's folder."""
    return f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    name = f"h{secrets.token_hex(6)}"
    postgres.create_database(name)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def history(database_url: str) -> AsyncIterator[History]:
    """A migrated history in ``database_url``."""
    found = History(database_url, timeout_seconds=5)
    await found.migrate()
    yield found
    await found.close()


@pytest.fixture
def at() -> datetime:
    """A time with milliseconds, as the clocks of operator and API have it."""
    return datetime(2030, 5, 1, 12, 0, 0, 123000, tzinfo=UTC)
