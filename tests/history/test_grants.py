"""A role for daily work: everything works under it, and it can rewrite nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from hydracore_history import History
from hydracore_history.tables import Base
from tests.history.test_append_only import fill, ruled
from tests.history.test_facts import api_key
from tests.support.postgres.server import PostgresServer

FACTS = [*ruled("append-only"), *ruled("write-once")]


@dataclass(frozen=True)
class Role:
    owner_url: str
    url: str


@pytest.fixture
async def role(postgres: PostgresServer, postgres_url: str) -> AsyncIterator[Role]:
    """A migrated database, and a role that got its rights on it."""
    name = 'hydra"app'
    with postgres.connect() as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), "s3cret")
        )
    owner = History(postgres_url)
    await owner.grant(name)
    await owner.grant(name)
    await owner.close()
    url = make_url(postgres_url).set(username=name, password="s3cret")
    yield Role(postgres_url, url.render_as_string(hide_password=False))
    with psycopg.connect(plain(postgres_url)) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
    with postgres.connect() as admin:
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


@pytest.fixture
async def history(role: Role) -> AsyncIterator[History]:
    found = History(role.url)
    yield found
    await found.close()


@pytest.fixture
def connection(role: Role) -> Iterator[psycopg.Connection]:
    with psycopg.connect(plain(role.url), autocommit=True) as found:
        yield found


async def test_everything_works_under_it(history: History, at: datetime) -> None:
    await history.check()
    for _ in range(2):
        await fill(history, at)
    await history.idempotency.set_task("t", "k", "task-1")
    claim = await history.idempotency.get("t", "k")
    assert claim is not None
    assert claim.task_id == "task-1"
    await history.provision_log.append("i-1", stage="healthy", level="info", message="m", at=at)
    await history.keys.create(api_key(at, 1))
    await history.keys.touch("id-1", at)
    assert await history.keys.revoke("id-1", at)
    await history.rollouts.archive(
        {"metadata": {"name": "r"}, "spec": {}}, [], tenant_id="t", namespace="ns", uid="r-1", at=at
    )
    found = await history.rollouts.get("r-1")
    assert found is not None
    assert "spec" in found.rollout
    assert await history.credentials.issue_key("i-1", key_hash="h", public_key="p", at=at)
    await history.credentials.disarm("i-1", at)
    await history.credentials.remove("i-1")
    await history.health.heartbeat(
        "i-1", at=at, versions={}, health_status="healthy", uptime_seconds=1
    )
    await history.health.remove("i-1")
    await history.stages.remove("i-1")


@pytest.mark.parametrize("table", FACTS)
async def test_it_can_rewrite_no_fact(
    history: History, connection: psycopg.Connection, at: datetime, table: str
) -> None:
    await fill(history, at)
    column = next(iter(Base.metadata.tables[table].primary_key)).name
    for statement in (
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"TRUNCATE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER USER",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TABLE {table} CASCADE",
        f"ALTER TABLE {table} ADD COLUMN x integer",
        f"CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION hydracore_refuse()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
    found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert found is not None
    assert found[0] > 0


async def test_it_cannot_get_around_what_guards_them(connection: psycopg.Connection) -> None:
    for statement in (
        "SET session_replication_role = replica",
        "DROP FUNCTION hydracore_refuse() CASCADE",
        "ALTER FUNCTION hydracore_refuse() OWNER TO CURRENT_USER",
        "CREATE TABLE public.mine (x integer)",
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


async def test_the_embedded_database_has_no_roles(sqlite_url: str) -> None:
    history = History(sqlite_url)
    with pytest.raises(ValueError, match="only PostgreSQL has roles"):
        await history.grant("app")
    await history.close()
