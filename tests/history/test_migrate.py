"""Migrations bring an empty database to exactly the tables of the models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from hydracore_history import History, HistoryUnavailable, SchemaOutdated
from hydracore_history.database import Database
from hydracore_history.tables import Base


async def differences(url: str) -> list[Any]:
    database = Database(url)

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)  # type: ignore[no-any-return]

    async with database.connection() as connection:
        found = await connection.run_sync(compare)
    await database.engine.dispose()
    return found


async def test_migrations_and_models_are_the_same(database_url: str) -> None:
    assert await differences(database_url) == []


async def test_the_comparison_sees_a_difference(database_url: str) -> None:
    database = Database(database_url)
    async with database.connection() as connection:
        await connection.exec_driver_sql("ALTER TABLE api_keys DROP COLUMN last_used_at")
    await database.engine.dispose()
    assert [entry[0] for entry in await differences(database_url)] == ["add_column"]


async def test_an_empty_database_says_that_it_needs_migrating(empty_url: str) -> None:
    history = History(empty_url)
    with pytest.raises(SchemaOutdated, match="hydracore migrate"):
        await history.check()
    with pytest.raises(SchemaOutdated, match="hydracore migrate"):
        await history.provision_log.list("i-1")
    await history.migrate()
    await history.check()
    await history.close()


async def test_several_migrate_at_once(empty_url: str) -> None:
    several = [History(empty_url, timeout_seconds=20) for _ in range(4)]
    await asyncio.gather(*(one.migrate() for one in several))
    await several[0].check()
    for one in several:
        await one.close()


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    history = History(f"sqlite+aiosqlite:///{tmp_path / 'absent' / 'history.db'}")
    with pytest.raises(HistoryUnavailable, match=r"absent/history\.db.*unable to open"):
        await history.check()
    await history.close()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"not a database at all" * 100)
    history = History(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(HistoryUnavailable, match="not a database"):
        await history.check()
    await history.close()


async def test_a_postgres_that_is_away_is_named_without_its_password() -> None:
    history = History("postgresql+psycopg://hydra:s3cret@127.0.0.1:1/hydra", timeout_seconds=2)
    with pytest.raises(HistoryUnavailable) as caught:
        await history.check()
    assert "127.0.0.1:1/hydra" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in history.shown_url
    await history.close()


def test_other_drivers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sqlite\+aiosqlite"):
        History("mysql://localhost/hydra")
