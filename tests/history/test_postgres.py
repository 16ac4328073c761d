"""A PostgreSQL server that is away, silent, locked or someone else's; and where it comes from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from hydracore_cli.main import build_app
from hydracore_history import History, HistoryUnavailable
from hydracore_history.database import Database
from tests.support.postgres import binaries
from tests.support.postgres.server import PostgresServer


@pytest.fixture
async def impatient(postgres_url: str) -> AsyncIterator[History]:
    """A history with an open connection that waits for nothing longer than 0.3 seconds."""
    found = History(postgres_url, timeout_seconds=0.3)
    await found.check()
    yield found
    await found.close()


async def poll(history: History, at: datetime) -> None:
    await history.health.poll("i-1", at=at, ok=True, status={}, error=None)


async def test_a_server_that_stops_and_comes_back(
    postgres: PostgresServer, impatient: History, at: datetime
) -> None:
    postgres.stop()
    try:
        for _ in range(2):  # on the connection that was open, and on a new one
            with pytest.raises(HistoryUnavailable, match="see that the server runs") as caught:
                await poll(impatient, at)
        assert f"hydra:***@127.0.0.1:{postgres.port}/h" in str(caught.value)
        assert "Connection refused" in str(caught.value)
        assert postgres.password not in str(caught.value)
    finally:
        postgres.start()
    await poll(impatient, at)


async def test_a_silent_server_is_given_up_in_time(
    postgres: PostgresServer, impatient: History, at: datetime
) -> None:
    postgres.freeze()
    try:
        for _ in range(2):
            started = time.monotonic()
            with pytest.raises(HistoryUnavailable, match="see that the server runs"):
                await poll(impatient, at)
            assert time.monotonic() - started < 8
    finally:
        postgres.thaw()
    await poll(impatient, at)


async def test_a_caller_who_gives_up_leaves_no_lock_behind(
    postgres_url: str, impatient: History, at: datetime
) -> None:
    patient = History(postgres_url, timeout_seconds=60)
    holder = await psycopg.AsyncConnection.connect(postgres_url.replace("+psycopg", ""))
    await holder.execute("LOCK TABLE instance_health")
    waiting = asyncio.ensure_future(poll(patient, at))
    await asyncio.wait([waiting], timeout=0.3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await holder.close()
    await poll(impatient, at)
    await patient.close()


async def test_a_locked_table_is_unavailable_in_time_and_recovers(
    postgres_url: str, impatient: History, at: datetime
) -> None:
    holder = await psycopg.AsyncConnection.connect(postgres_url.replace("+psycopg", ""))
    await holder.execute("LOCK TABLE instance_health")
    started = time.monotonic()
    with pytest.raises(HistoryUnavailable, match=r"lock timeout.*pg_stat_activity"):
        await poll(impatient, at)
    assert time.monotonic() - started < 2.5
    await holder.close()
    await poll(impatient, at)


async def test_a_transaction_that_hangs_loses_its_locks(
    postgres_url: str, impatient: History, at: datetime
) -> None:
    """Its process may be frozen: the server ends it, so that others can go on."""
    hanging = Database(postgres_url, timeout_seconds=0.1)
    connection = await hanging.engine.connect()
    await connection.execute(text("LOCK TABLE instance_health"))
    deadline = time.monotonic() + 10
    while True:
        try:
            await poll(impatient, at)
            break
        except HistoryUnavailable:
            assert time.monotonic() < deadline
    await connection.invalidate()
    await connection.close()
    await hanging.engine.dispose()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "not-it-s3cret"}, "password authentication failed"),
        ({"database": "nobodys"}, 'database "nobodys" does not exist'),
    ],
)
async def test_wrong_settings_say_what_to_look_at(
    postgres: PostgresServer, change: dict[str, str], reason: str
) -> None:
    wanted = {"database": "postgres", **change}
    history = History(postgres.url(**wanted), timeout_seconds=2)
    with pytest.raises(HistoryUnavailable, match=f"{reason}.*user and password in the URL") as seen:
        await history.check()
    assert "s3cret" not in str(seen.value)
    await history.close()


async def test_a_standby_is_unavailable(postgres_url: str, at: datetime) -> None:
    history = History(f"{postgres_url}?options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(HistoryUnavailable, match="read-only standby: let the URL name the primary"):
        await poll(history, at)
    await history.close()


async def test_a_password_in_the_query_is_not_shown() -> None:
    history = History(
        "postgresql+psycopg://127.0.0.1:1/h?user=u&password=s3cret&sslpassword=s3cret"
    )
    with pytest.raises(HistoryUnavailable) as caught:
        await history.check()
    assert "s3cret" not in str(caught.value) + history.shown_url
    assert "user=u" in history.shown_url
    await history.close()


async def test_the_isolation_does_not_depend_on_the_server(
    postgres: PostgresServer, postgres_url: str
) -> None:
    with postgres.connect() as plain:
        row = plain.execute("SHOW default_transaction_isolation").fetchone()
    assert row == ("serializable",)
    database = Database(postgres_url)
    for begin in (database.read, database.write):
        async with begin() as session:
            assert await session.scalar(text("SHOW transaction_isolation")) == "read committed"
    await database.engine.dispose()


async def test_a_unix_socket(postgres: PostgresServer, postgres_url: str) -> None:
    history = History(postgres.socket_url(postgres_url.rpartition("/")[2]))
    await history.check()
    await history.close()


async def test_the_command_migrates_it(
    empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRACORE_DATABASE_URL", empty_postgres_url)
    command = ["migrate", "--state-dir", str(tmp_path / "absent")]
    done = await asyncio.to_thread(CliRunner().invoke, build_app(), command)
    assert done.exit_code == 0, done.output
    assert "hydra:***@127.0.0.1" in done.output
    history = History(empty_postgres_url)
    await history.check()
    await history.close()


async def test_the_server_of_the_package_serves_too(at: datetime) -> None:
    """Machines without PostgreSQL use it; its version is another one than theirs."""
    server = PostgresServer(next(binaries.of_package()))
    try:
        server.create()
        server.start()
        server.create_database("h")
        history = History(server.url("h"))
        await history.migrate()
        await history.check()
        await poll(history, at)
        await history.close()
    finally:
        server.remove()


def test_a_folder_without_a_server_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(binaries.NoPostgres, match=r"15 or newer.*no server.*make setup"):
        binaries.find({"HYDRACORE_POSTGRES_BIN": str(tmp_path)})


def test_a_server_that_is_too_old_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "initdb").touch()
    old = tmp_path / "postgres"
    old.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
    old.chmod(0o755)
    with pytest.raises(binaries.NoPostgres, match="version 14"):
        binaries.find({"HYDRACORE_POSTGRES_BIN": str(tmp_path)})
