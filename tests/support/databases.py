"""Fresh databases: a test that asks for ``database_url`` runs on SQLite and on PostgreSQL.

A conftest that wants these fixtures imports them.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hydracore_history import History
from tests.support.postgres.server import PostgresServer

DIALECTS = ("sqlite", "postgres")


@pytest.fixture(scope="session")
async def sqlite_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy."""
    path = tmp_path_factory.mktemp("model") / "history.db"
    await _migrate(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(scope="session")
async def postgres_model(postgres: PostgresServer) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    name = f"model{secrets.token_hex(4)}"  # each conftest that imports this has one of its own
    postgres.create_database(name)
    await _migrate(postgres.url(name))
    return name


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_model: Path) -> str:
    """A migrated SQLite database: ``history.db`` in the test's folder."""
    shutil.copy(sqlite_model, tmp_path / "history.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_model: str) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    with _database(postgres, postgres_model) as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with _database(postgres, "template1") as url:
        yield url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that is not there yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'history.db'}"


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=DIALECTS)
def empty_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind without tables."""
    return str(request.getfixturevalue(f"empty_{request.param}_url"))


async def _migrate(url: str) -> None:
    history = History(url)
    await history.migrate()
    await history.close()


@contextmanager
def _database(postgres: PostgresServer, like: str) -> Iterator[str]:
    name = f"h{secrets.token_hex(6)}"
    postgres.create_database(name, like=like)
    yield postgres.url(name)
    postgres.drop_database(name)
