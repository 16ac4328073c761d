"""The whole stack with its history on a real PostgreSQL: used, restarted, and without a leak."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hydracore_cli.stack.layout import layout_of
from tests.stack.test_stack import Stack, argv_of, command, environ, wait_for
from tests.support.postgres.server import PostgresServer

__all__ = ["environ"]

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> Iterator[str]:
    """An empty database of this test's own."""
    name = f"s{secrets.token_hex(6)}"
    postgres.create_database(name)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def stack(
    environ: dict[str, str], url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    layout = layout_of(tmp_path_factory.mktemp("stack") / "state")
    outer = {**environ, "HYDRACORE_DATABASE_URL": url}
    done = command(outer, "up", "--state-dir", str(layout.state_dir))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield Stack(layout, environ, done.stdout + done.stderr)
    finally:
        command(environ, "down", "--state-dir", str(layout.state_dir))


def count(url: str, table: str) -> int:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_an_instance_is_made_and_what_was_learnt_is_in_postgres(stack: Stack, url: str) -> None:
    body = {"tier_id": "local-small", "region_id": "local", "agent_name": "Ada"}
    with stack.rest() as rest:
        created = rest.post("/v1/instances", json=body, headers={"Idempotency-Key": "one"})
        assert created.status_code == 202, created.text
        path = f"/v1/instances/{created.json()['instance_id']}"
        wait_for(lambda: rest.get(path).json()["status"] == "running", 120, "running")
    for table in ("credentials", "provision_log", "instance_health", "api_keys"):
        assert count(url, table) > 0, table
    assert not stack.layout.database.exists()


def test_commands_find_the_database_by_themselves(stack: Stack, url: str) -> None:
    migrated = stack.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert "postgresql+psycopg://hydra:***@127.0.0.1" in migrated.stdout
    before = count(url, "api_keys")
    made = stack.run("keys", "create", "--tenant", "acme", "--name", "laptop")
    assert made.returncode == 0, made.stderr
    assert count(url, "api_keys") == before + 1
    listed = stack.run("keys", "list", "--tenant", "acme")
    assert "laptop" in listed.stdout


def test_migrate_gives_another_role_its_rights(
    stack: Stack, postgres: PostgresServer, url: str
) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute("CREATE ROLE stack_app")
        try:
            granted = stack.run("migrate", "--grant-to", "stack_app")
            assert granted.returncode == 0, granted.stderr
            rights = owner.execute(
                "SELECT has_table_privilege('stack_app', 'executions', p) "
                "FROM unnest(ARRAY['INSERT', 'SELECT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p"
            ).fetchall()
            assert rights == [(True,), (True,), (False,), (False,), (False,)]
        finally:
            owner.execute("DROP OWNED BY stack_app")
            owner.execute("DROP ROLE stack_app")
    assert postgres.password not in granted.stdout + granted.stderr


def test_its_password_is_nowhere_to_be_read(stack: Stack, postgres: PostgresServer) -> None:
    assert "history     postgresql+psycopg://hydra:***@127.0.0.1" in stack.first_output
    assert postgres.password not in stack.first_output
    texts = [p for p in stack.layout.state_dir.rglob("*") if p.is_file()]
    holding = [p for p in texts if postgres.password.encode() in p.read_bytes()]
    assert holding == [stack.layout.database_url_file]
    everybody = [argv_of(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()]
    assert not any(postgres.password.encode() in argv for argv in everybody)


def test_another_database_needs_a_restart(stack: Stack) -> None:
    refused = stack.run("up", "--database", "sqlite")
    assert refused.returncode == 1
    assert "hydracore down" in refused.stderr


def test_the_stack_outlives_its_database(stack: Stack, postgres: PostgresServer) -> None:
    def listed() -> int:
        with stack.rest() as rest:
            return rest.get("/v1/instances").status_code

    assert listed() == 200
    postgres.stop()
    try:
        wait_for(lambda: listed() == 503, 60, "the API to say that it cannot serve")
    finally:
        postgres.start()
    wait_for(lambda: listed() == 200, 60, "the API to serve again")


def test_up_again_goes_on_with_the_same_database(stack: Stack, url: str) -> None:
    assert stack.run("down").returncode == 0
    keys = count(url, "api_keys")
    done = stack.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert count(url, "api_keys") == keys
    with stack.rest() as rest:
        assert len(rest.get("/v1/instances").json()) == 1
