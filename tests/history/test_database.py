"""Several writers, a locked database, and the settings of every connection."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from hydracore_history import History, HistoryUnavailable, ProvisionLogEntry
from hydracore_history.database import Database
from hydracore_history.provision_log import append_line

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from hydracore_history import History

async def main(url, who):
    history = History(url, timeout_seconds=20)
    for n in range(12):
        await history.provision_log.append(
            "i-1", stage="ordered", level="info", message=f"{who} {n}", at=datetime.now(UTC)
        )
    await history.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_and_two_engines_write_at_once(
    history: History, database_url: str, at: datetime
) -> None:
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, database_url, who)
        for who in ("a", "b")
    ]
    other = History(database_url, timeout_seconds=20)
    for n in range(12):
        await asyncio.gather(
            *(
                one.provision_log.append(
                    "i-1", stage="ordered", level="info", message=f"{who} {n}", at=at
                )
                for one, who in ((history, "c"), (other, "d"))
            )
        )
    assert [await process.wait() for process in processes] == [0, 0]
    lines = await history.provision_log.list("i-1")
    assert [line.seq for line in lines] == list(range(1, 49))
    assert {line.message for line in lines} == {f"{w} {n}" for w in "abcd" for n in range(12)}
    await other.close()


async def test_a_locked_file_is_unavailable_in_time_and_recovers(
    sqlite_url: str, tmp_path: Path, at: datetime
) -> None:
    impatient = History(sqlite_url, timeout_seconds=0.3)
    holder = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    with pytest.raises(HistoryUnavailable, match=r"history\.db.*locked.*no other program"):
        await impatient.stages.record(
            "i-1", stage="booting", seq=1, level="info", message="up", at=at
        )
    assert time.monotonic() - started < 2.5
    assert await impatient.provision_log.list("i-1") == []  # readers do not wait in WAL mode
    holder.execute("ROLLBACK")
    holder.close()
    result = await impatient.stages.record(
        "i-1", stage="booting", seq=1, level="info", message="up", at=at
    )
    assert result.accepted
    await impatient.close()


async def test_writers_of_one_process_wait_for_each_other_not_for_the_lock(
    history: History, at: datetime
) -> None:
    await asyncio.gather(
        *(
            history.health.poll(f"i-{n}", at=at, ok=True, status={"n": n}, error=None)
            for n in range(200)
        )
    )
    rows = await history.health.get_many([f"i-{n}" for n in range(200)])
    assert {key: row.last_status for key, row in rows.items()} == {
        f"i-{n}": {"n": n} for n in range(200)
    }


async def write_and_fail(history: History, at: datetime) -> None:
    entry = ProvisionLogEntry(0, "ordered", "info", "text", at)
    async with history._database.write() as session:
        assert await append_line(history._database, session, "i-1", entry, None) == 1
        raise RuntimeError("lost on the way")


async def test_an_error_within_a_write_writes_nothing(history: History, at: datetime) -> None:
    with pytest.raises(RuntimeError, match="on the way"):
        await write_and_fail(history, at)
    assert await history.provision_log.list("i-1") == []


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 2), ("recursive_triggers", 1)],
)
async def test_every_connection_is_set_up(sqlite_url: str, pragma: str, value: object) -> None:
    database = Database(sqlite_url)
    async with database.connection() as connection:
        assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar() == value
    await database.engine.dispose()


async def test_several_open_a_new_file_at_once(tmp_path: Path) -> None:
    """SQLite refuses a second switch to WAL at once, without waiting for the first."""
    for number in range(80):
        url = f"sqlite+aiosqlite:///{tmp_path / str(number)}.db"
        several = [Database(url, timeout_seconds=20) for _ in range(8)]
        await asyncio.gather(*(_open(one) for one in several))
        for one in several:
            await one.engine.dispose()


async def _open(database: Database) -> None:
    async with database.connection():
        await asyncio.sleep(0)
