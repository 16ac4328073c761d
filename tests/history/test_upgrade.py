"""From every released revision forward, with what it had stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from hydracore_history import History, SchemaOutdated
from hydracore_history.database import Database
from hydracore_history.migrate import config, head
from tests.history.steps import step

TESTDATA = Path(__file__).parent / "testdata"
NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)


def released() -> list[str]:
    """All revisions but the newest; each has rows in ``testdata``."""
    found = {one.revision for one in ScriptDirectory.from_config(config()).walk_revisions()}
    return sorted(found - {head()})


async def build(url: str, revision: str) -> None:
    """Make a database as the given revision left it."""

    def run(connection: Connection) -> None:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)
        for line in (TESTDATA / f"{revision}.sql").read_text().splitlines():
            if line.startswith("INSERT"):
                connection.exec_driver_sql(in_utc(line, connection.dialect.name))

    database = Database(url)
    async with database.connection() as connection:
        await connection.run_sync(run)
    await database.engine.dispose()


def in_utc(line: str, dialect: str) -> str:
    return line.replace(".000000'", ".000000+00'") if dialect == "postgresql" else line


@pytest.fixture(params=released())
async def upgraded(request: pytest.FixtureRequest, empty_url: str) -> AsyncIterator[History]:
    await build(empty_url, request.param)
    history = History(empty_url)
    with pytest.raises(SchemaOutdated, match="run `hydracore migrate`"):
        await history.check()
    await history.migrate()
    await history.check()
    yield history
    await history.close()


async def test_enrolment_and_health_are_kept(upgraded: History) -> None:
    lines = await upgraded.provision_log.list("i-1")
    assert [(line.seq, line.message) for line in lines] == [(1, "ordering"), (2, "up")]
    assert [line.created_at for line in lines] == [NOON, NOON + timedelta(seconds=1)]
    again = await upgraded.provision_log.append(
        "i-1", stage="ordered", level="info", message="x", at=NOON, key="k1"
    )
    assert again == 1
    stage = await upgraded.stages.latest("i-1")
    credential = await upgraded.credentials.by_key_hash("key")
    health = await upgraded.health.get("i-1")
    assert stage is not None
    assert credential is not None
    assert health is not None
    assert (stage.stage, stage.seq) == ("booting", 7)
    assert (credential.armed, credential.public_key) == (False, "public")
    assert (health.failures, health.last_status) == (2, {"version": "1.0.0"})
    assert health.uptime_seconds == 2**40
    assert health.versions_changed_at == health.versions_reported_at == NOON + timedelta(seconds=3)
    assert (health.latency_ms, health.deep_health) == (None, None)


async def test_keys_claims_and_tombstones_are_kept(upgraded: History) -> None:
    tombstone = await upgraded.tombstones.get("i-0")
    key = await upgraded.keys.by_hash("hash")
    assert tombstone is not None
    assert key is not None
    assert (tombstone.snapshot, tombstone.name) == ({"kind": "Instance"}, "zero")
    assert (key.scopes, key.admin, key.revoked_at) == (("instances:read",), True, None)
    await upgraded.idempotency.set_task("t", "k", "task")
    claim = await upgraded.idempotency.get("t", "k")
    assert claim is not None
    assert (claim.instance_id, claim.task_id) == ("i-1", "task")


async def test_archives_are_kept_and_can_be_added_to(upgraded: History) -> None:
    page = await upgraded.rollouts.list("ns", 9, 0, tenant_id="t")
    assert [(one.uid, one.rollout["status"]["state"]) for one in page] == [
        ("r-2", "failed"),
        ("r-1", "succeeded"),
    ]
    found = await upgraded.rollouts.get("r-1")
    assert found is not None
    assert [(one.uid, one.instance_id) for one in found.targets] == [("t-1", "i-1"), ("t-2", "i-2")]
    assert found.archived_at == NOON + timedelta(hours=1)
    mine = await upgraded.rollouts.targets_of_instance("ns", "i-2", 9, 0, tenant_id="t")
    assert [(one.uid, parent.uid) for one, parent in mine] == [("t-2", "r-1")]
    await upgraded.rollouts.archive(
        {"metadata": {"name": "r2"}, "status": {"state": "succeeded"}},
        [],
        tenant_id="t",
        namespace="ns",
        uid="r-2",
        at=NOON,
    )
    later = await upgraded.rollouts.get("r-2")
    assert later is not None
    assert later.rollout["status"]["state"] == "succeeded"


async def test_what_ran_and_actions_can_be_stored(upgraded: History) -> None:
    row = await upgraded.executions.begin(
        kind="Rollout", namespace="ns", name="r1", spec_hash="h", uid="r-9", at=NOON
    )
    assert (row.uid, row.started_at) == ("r-9", NOON)
    action = {"metadata": {"name": "a1"}, "spec": {"instanceName": "one"}}
    await upgraded.actions.archive(action, tenant_id="t", namespace="ns", uid="a-9", at=NOON)
    assert await upgraded.actions.holds(action, uid="a-9")
    await upgraded.transitions.record([step("r-9", 0, NOON)])
    assert await upgraded.transitions.of_rollout("r-9") == [step("r-9", 0, NOON)]


async def tables(url: str) -> set[str]:
    database = Database(url)
    async with database.connection() as connection:
        found = await connection.run_sync(lambda one: set(inspect(one).get_table_names()))
    await database.engine.dispose()
    return found


async def test_an_upgrade_that_fails_leaves_everything_as_it_was(empty_url: str) -> None:
    await build(empty_url, "0001")
    database = Database(empty_url)
    async with database.connection() as connection:
        await connection.exec_driver_sql("CREATE TABLE rollout_archive_targets (x INTEGER)")
    await database.engine.dispose()
    before = await tables(empty_url)
    history = History(empty_url)
    with pytest.raises(DBAPIError, match="already exists"):
        await history.migrate()
    assert await tables(empty_url) == before
    assert "archived_rollouts" in before
    with pytest.raises(SchemaOutdated, match="is at revision 0001, this version needs"):
        await history.check()
    await history.close()


async def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    database = Database(database_url)
    async with database.connection() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    await database.engine.dispose()
    history = History(database_url)
    for call in (history.check, history.migrate):
        with pytest.raises(SchemaOutdated, match=r"9999.*a newer HydraCore has migrated it"):
            await call()
    await history.close()


async def test_a_migration_waits_longer_than_a_statement_may(
    empty_postgres_url: str,
) -> None:
    """Another one is at work: the statement timeout of daily work does not end the wait."""
    plain = empty_postgres_url.replace("+psycopg", "")
    holder = await psycopg.AsyncConnection.connect(plain, autocommit=True)
    await holder.execute("SELECT pg_advisory_lock(%s)", [0x48594452])
    history = History(empty_postgres_url, timeout_seconds=0.1)
    migrating = asyncio.ensure_future(history.migrate())
    done, _ = await asyncio.wait([migrating], timeout=1.5)
    assert not done
    await holder.close()
    await migrating
    await history.check()
    await history.close()
