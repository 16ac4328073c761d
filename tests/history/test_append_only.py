"""What the database refuses, whoever asks, and what it must go on allowing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError

from hydracore_history import AuditEvent, History, Notification, UsageEvent
from hydracore_history.tables import RULE, Base
from tests.history.steps import step

TABLES = Base.metadata.tables


def ruled(rule: str) -> list[str]:
    return sorted(name for name, table in TABLES.items() if table.info[RULE] == rule)


async def fill(history: History, at: datetime) -> None:
    """Write at least one row into every table, by the ways that the programs use."""
    await history.stages.record("i-1", stage="booting", seq=1, level="info", message="up", at=at)
    await history.credentials.arm("i-1", namespace="ns", name="one", token_hash="t")
    await history.health.poll("i-1", at=at, ok=False, status=None, error="refused")
    await history.idempotency.claim("t", "k", body_hash="h", instance_id="i-1", name="n", at=at)
    await bury(history, at)
    target = {"metadata": {"uid": "t-1"}, "spec": {"instanceId": "i-1", "order": 0}}
    await history.rollouts.archive(
        {"metadata": {"name": "r"}}, [target], tenant_id="t", namespace="ns", uid="r-1", at=at
    )
    await history.executions.begin(
        kind="Rollout", namespace="ns", name="r", spec_hash="h", uid="r-1", at=at
    )
    await history.transitions.record([step("r-1", 0, at)])
    action = {"metadata": {"name": "a"}, "spec": {"instanceName": "one"}}
    await history.actions.archive(action, tenant_id="t", namespace="ns", uid="a-1", at=at)
    await history.notifications.record([told(at)])
    used = UsageEvent("e-1", at, "openai", "small", 3, 4, Decimal("0.1"))
    await history.usage.record("i-1", [used], namespace="ns", at=at)
    done = AuditEvent("e-1", at, "tool_call", "mcp", "success")
    await history.audit.record("i-1", [done], namespace="ns", at=at)


def told(at: datetime) -> Notification:
    return Notification("msg_1", "pager", "ns", "r-1", "halted", "{}", at)


async def bury(history: History, at: datetime) -> None:
    await history.tombstones.put(
        "i-1",
        tenant_id="t",
        namespace="ns",
        name="one",
        customer_id=None,
        snapshot={},
        deleted_at=at,
    )


async def content(history: History, name: str) -> list[tuple[object, ...]]:
    async with history._database.read() as session:
        return [tuple(row) for row in await session.execute(select(TABLES[name]))]


def test_every_table_says_what_its_rows_are() -> None:
    assert ruled("append-only") == [
        "action_archive",
        "audit_events",
        "executions",
        "provision_log",
        "rollout_archive",
        "rollout_archive_targets",
        "tombstones",
        "transitions",
        "usage_events",
    ]
    assert ruled("write-once") == ["idempotency_keys", "notifications"]
    assert len(ruled("current")) == len(TABLES) - 11


@pytest.fixture
async def filled(history: History, at: datetime) -> History:
    await fill(history, at)
    return history


@pytest.mark.parametrize("name", ruled("append-only") + ruled("write-once"))
async def test_facts_cannot_be_deleted(filled: History, name: str) -> None:
    before = await content(filled, name)
    assert before
    with pytest.raises(IntegrityError, match=f"facts in {name} stay as they were.*DELETE"):
        async with filled._database.write() as session:
            await session.execute(delete(TABLES[name]))
    if filled._database.dialect == "postgresql":
        with pytest.raises(IntegrityError, match=f"facts in {name} stay as they were.*TRUNCATE"):
            async with filled._database.write() as session:
                await session.execute(text(f"TRUNCATE {name} CASCADE"))
    assert await content(filled, name) == before


@pytest.mark.parametrize("name", ruled("append-only"))
async def test_no_column_of_a_fact_can_be_changed(filled: History, name: str) -> None:
    before = await content(filled, name)
    for column in TABLES[name].columns:
        with pytest.raises(IntegrityError, match=f"facts in {name} stay as they were.*UPDATE"):
            async with filled._database.write() as session:
                await session.execute(update(TABLES[name]).values({column.name: column}))
    assert await content(filled, name) == before


async def test_a_claim_cannot_be_changed(filled: History, at: datetime) -> None:
    table = TABLES["idempotency_keys"]
    for column in table.columns:
        if column.name == "task_id":
            continue
        value = at.replace(year=2031) if column.name == "created_at" else "other"
        with pytest.raises(IntegrityError, match="facts in idempotency_keys stay as they were"):
            async with filled._database.write() as session:
                await session.execute(update(table).values({column.name: value}))


async def test_a_claims_task_is_set_once(filled: History) -> None:
    await filled.idempotency.set_task("t", "k", "task-1")
    await filled.idempotency.set_task("t", "k", "task-2")
    found = await filled.idempotency.get("t", "k")
    assert found is not None
    assert found.task_id == "task-1"
    for value in ("task-2", None):
        with pytest.raises(IntegrityError, match="facts in idempotency_keys stay"):
            async with filled._database.write() as session:
                await session.execute(update(TABLES["idempotency_keys"]).values(task_id=value))


async def test_what_was_to_be_told_cannot_be_changed(filled: History, at: datetime) -> None:
    table = TABLES["notifications"]
    for column in table.columns:
        if column.nullable:
            continue
        value = at.replace(year=2031) if column.name == "created_at" else "other"
        with pytest.raises(IntegrityError, match="facts in notifications stay as they were"):
            async with filled._database.write() as session:
                await session.execute(update(table).values({column.name: value}))


async def test_a_notification_ends_once(filled: History, at: datetime) -> None:
    await filled.notifications.end(told(at), "delivered", fault=None, at=at)
    await filled.notifications.end(told(at), "given_up", fault="late", at=at)
    (found,) = await filled.notifications.latest("ns", ["pager"])
    assert (found.outcome, found.fault, found.ended_at) == ("delivered", None, at)
    with pytest.raises(IntegrityError, match="facts in notifications stay"):
        async with filled._database.write() as session:
            await session.execute(update(TABLES["notifications"]).values(outcome="given_up"))


async def test_replacing_a_row_is_deleting_it(sqlite_url: str, at: datetime) -> None:
    history = History(sqlite_url)
    await fill(history, at)
    for name in ruled("append-only") + ruled("write-once"):
        columns = ", ".join(column.name for column in TABLES[name].columns)
        statement = f"INSERT OR REPLACE INTO {name} ({columns}) SELECT {columns} FROM {name}"
        with pytest.raises(IntegrityError, match=f"facts in {name} stay as they were"):
            async with history._database.write() as session:
                await session.execute(text(statement))
    await history.close()


async def test_what_is_current_goes_and_comes_again(filled: History, at: datetime) -> None:
    """The deletion of an Instance: its credential, health and stage go, its facts stay."""
    await filled.provision_log.append(
        "i-1", stage="healthy", level="info", message="deleted", at=at, key="deleted"
    )
    await bury(filled, at)
    await filled.credentials.remove("i-1")
    await filled.health.remove("i-1")
    await filled.stages.remove("i-1")
    for name in ("credentials", "instance_health", "stage_reports"):
        assert await content(filled, name) == []
    await fill(filled, at)
    lines = await filled.provision_log.list("i-1")
    assert [line.message for line in lines] == ["up", "deleted", "up"]
    for name in ("credentials", "instance_health", "stage_reports", "tombstones"):
        assert len(await content(filled, name)) == 1
