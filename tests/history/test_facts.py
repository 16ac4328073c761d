"""Health rows, tombstones, idempotency keys, API keys and the rollout archive."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from hydracore_crds.base import format_time
from hydracore_history import ApiKey, History
from hydracore_history.tables import ArchivedRolloutRow, ArchivedTargetRow, Base


async def test_polls_count_failures_in_a_row(history: History, at: datetime) -> None:
    health = history.health
    assert await health.get("i-1") is None
    for _ in range(3):
        await health.poll("i-1", at=at, ok=False, status=None, error="refused")
    row = await health.get("i-1")
    assert row is not None
    assert (row.failures, row.last_error, row.last_status) == (3, "refused", None)
    await health.poll("i-1", at=at, ok=True, status={"version": "1.0.0"}, error=None)
    row = await health.get("i-1")
    assert row is not None
    assert (row.failures, row.last_error) == (0, None)
    await health.poll("i-1", at=at + timedelta(seconds=10), ok=False, status=None, error=None)
    row = await health.get("i-1")
    assert row is not None
    assert (row.failures, row.last_status) == (1, {"version": "1.0.0"})
    assert row.last_poll_at == at + timedelta(seconds=10)
    await health.remove("i-1")
    assert await health.get("i-1") is None


async def test_heartbeats_keep_the_polls_and_the_other_way_round(
    history: History, at: datetime
) -> None:
    await history.health.poll("i-1", at=at, ok=False, status=None, error="refused")
    versions = {"runtime": {"version": "1.0.0"}, "skills": [], "mcp_servers": []}
    await history.health.heartbeat(
        "i-1", at=at, versions=versions, health_status="healthy", uptime_seconds=2**40
    )
    row = await history.health.get("i-1")
    assert row is not None
    assert (row.failures, row.versions, row.versions_reported_at) == (1, versions, at)
    assert (row.last_heartbeat, row.health_status, row.uptime_seconds) == (at, "healthy", 2**40)
    assert await history.health.get_many(["i-1", "i-2"]) == {"i-1": row}
    assert await history.health.get_many([]) == {}


async def test_the_first_tombstone_stays(history: History, at: datetime) -> None:
    for n in range(2):
        await history.tombstones.put(
            "i-1",
            tenant_id="t",
            namespace="ns",
            name="one",
            customer_id=None,
            snapshot={"n": n},
            deleted_at=at + timedelta(hours=n),
        )
    found = await history.tombstones.get("i-1")
    assert found is not None
    assert (found.snapshot, found.deleted_at, found.tenant_id) == ({"n": 0}, at, "t")
    assert await history.tombstones.get("i-2") is None


async def test_the_first_claim_wins(history: History, database_url: str, at: datetime) -> None:
    other = History(database_url, timeout_seconds=20)
    found = await asyncio.gather(
        *(
            one.idempotency.claim(
                "t", "k", body_hash=f"h{n}", instance_id=f"i-{n}", name=f"n{n}", at=at
            )
            for n, one in enumerate((history, other) * 5)
        )
    )
    assert len(set(found)) == 1
    await other.close()
    assert await history.idempotency.get("t", "k") == found[0]
    assert await history.idempotency.get("t2", "k") is None
    assert await history.idempotency.by_instance(found[0].instance_id) == found[0]
    await history.idempotency.set_task("t", "k", "task-1")
    await history.idempotency.set_task("t", "k", "task-2")
    again = await history.idempotency.claim(
        "t", "k", body_hash="x", instance_id="y", name="z", at=at
    )
    assert again.task_id == "task-1"
    assert again.body_hash == found[0].body_hash
    theirs = await history.idempotency.claim(
        "t2", "k", body_hash="x", instance_id="y", name="z", at=at
    )
    assert theirs.instance_id == "y"


def api_key(at: datetime, n: int, tenant: str = "t") -> ApiKey:
    return ApiKey(
        id=f"id-{n}",
        tenant_id=tenant,
        namespace="ns",
        name="laptop",
        prefix="hc_live_abc",
        key_hash=f"{n:064d}",
        scopes=("instances:read", "instances:*"),
        admin=True,
        tenant_wide=False,
        created_by="cli",
        created_at=at + timedelta(minutes=n),
        last_used_at=None,
        revoked_at=None,
    )


async def test_the_life_of_an_api_key(history: History, at: datetime) -> None:
    keys = [await history.keys.create(api_key(at, n)) for n in range(2)]
    await history.keys.create(api_key(at, 9, "other"))
    assert await history.keys.list("t") == keys[::-1]
    assert await history.keys.by_hash(keys[0].key_hash) == keys[0]
    assert await history.keys.by_hash("0") is None
    await history.keys.touch("id-0", at)
    assert await history.keys.revoke("id-0", at)
    assert not await history.keys.revoke("id-0", at)
    assert not await history.keys.revoke("id-8", at)
    found = await history.keys.by_hash(keys[0].key_hash)
    assert found is not None
    assert (found.last_used_at, found.revoked_at) == (at, at)


def rollout(n: int, at: datetime, state: str = "succeeded") -> dict[str, Any]:
    created = format_time(at + timedelta(minutes=n))
    return {
        "metadata": {"name": f"r{n}", "uid": f"r-{n}", "creationTimestamp": created},
        "spec": {"bundleName": "runtime-expressclaw-1.0.0"},
        "status": {"state": state},
    }


def target(n: int, order: int, at: datetime) -> dict[str, Any]:
    return {
        "metadata": {"uid": f"t-{n}-{order}", "creationTimestamp": format_time(at)},
        "spec": {"instanceId": f"i-{order}", "order": order},
    }


async def archive(history: History, n: int, at: datetime, targets: int, state: str = "x") -> None:
    await history.rollouts.archive(
        rollout(n, at, state),
        [target(n, order, at + timedelta(minutes=n)) for order in range(targets)],
        tenant_id="t",
        namespace="ns",
        uid=f"r-{n}",
        at=at,
    )


async def rows(history: History, table: type[Base]) -> int:
    async with history._database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_archiving_again_adds_a_revision(history: History, at: datetime) -> None:
    await archive(history, 1, at, 3, "in_progress")
    await archive(history, 1, at, 2, "succeeded")
    found = await history.rollouts.get("r-1")
    assert found is not None
    assert found.rollout["status"]["state"] == "succeeded"
    assert [one.uid for one in found.targets] == ["t-1-0", "t-1-1"]
    assert found.created_at == at + timedelta(minutes=1)
    assert [one.rollout for one in await history.rollouts.list("ns", 9, 0, tenant_id="t")] == [
        found.rollout
    ]
    mine = await history.rollouts.targets_of_instance("ns", "i-1", 9, 0, tenant_id="t")
    assert [(one.uid, parent.rollout) for one, parent in mine] == [("t-1-1", found.rollout)]
    assert await history.rollouts.targets_of_instance("ns", "i-2", 9, 0, tenant_id="t") == []
    assert (await rows(history, ArchivedRolloutRow), await rows(history, ArchivedTargetRow)) == (
        2,
        5,
    )
    assert await history.rollouts.get("r-2") is None


async def test_archiving_the_same_again_writes_nothing(history: History, at: datetime) -> None:
    for later in range(3):
        await history.rollouts.archive(
            rollout(1, at),
            [target(1, 0, at)],
            tenant_id="t",
            namespace="ns",
            uid="r-1",
            at=at + timedelta(hours=later),
        )
    found = await history.rollouts.get("r-1")
    assert found is not None
    assert found.archived_at == at
    assert (await rows(history, ArchivedRolloutRow), await rows(history, ArchivedTargetRow)) == (
        1,
        1,
    )


async def test_archiving_at_once_leaves_one_whole_revision_as_the_newest(
    history: History, database_url: str, at: datetime
) -> None:
    other = History(database_url, timeout_seconds=20)
    await asyncio.gather(
        *(archive(one, 1, at, n + 1, f"s{n}") for n, one in enumerate((history, other) * 4))
    )
    await other.close()
    found = await history.rollouts.get("r-1")
    assert found is not None
    assert len(found.targets) == int(found.rollout["status"]["state"][1:]) + 1
    assert await rows(history, ArchivedRolloutRow) == 8


HOSTILE = "a\x00b\ud800c\u2028d'\"; --"


async def test_text_that_no_database_stores_is_no_reason_to_lose_the_rest(
    history: History, at: datetime
) -> None:
    await history.provision_log.append(
        "i-1", stage="ordered", level="error", message=HOSTILE, at=at
    )
    await history.stages.record("i-1", stage="booting", seq=1, level="info", message=HOSTILE, at=at)
    status = {"name": HOSTILE, HOSTILE: [1.5, None, "\x00"]}
    await history.health.poll("i-1", at=at, ok=True, status=status, error=None)
    await history.health.poll("i-1", at=at, ok=False, status=None, error=HOSTILE)
    row = await history.health.get("i-1")
    stage = await history.stages.latest("i-1")
    assert row is not None
    assert stage is not None
    assert row.last_status == status
    lines = [line.message for line in await history.provision_log.list("i-1")]
    plain = HOSTILE.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert [*lines, row.last_error, stage.message] == [plain] * 4


async def test_the_archive_lists_newest_first(history: History, at: datetime) -> None:
    for n in range(5):
        await archive(history, n, at, 2)
    page = await history.rollouts.list("ns", 2, 1, tenant_id="t")
    assert [one.uid for one in page] == ["r-3", "r-2"]
    rest = await history.rollouts.list("ns", 10, 0, tenant_id="t", without=["r-4", "r-0"])
    assert [one.uid for one in rest] == ["r-3", "r-2", "r-1"]
    assert await history.rollouts.list("other", 10, 0, tenant_id="t") == []
    assert await history.rollouts.list("ns", 10, 0, tenant_id="another") == []
    mine = await history.rollouts.targets_of_instance(
        "ns", "i-1", 2, 1, tenant_id="t", without=["t-4-1"]
    )
    assert [(one.uid, parent.uid) for one, parent in mine] == [("t-2-1", "r-2"), ("t-1-1", "r-1")]
    assert await history.rollouts.targets_of_instance("other", "i-1", 9, 0, tenant_id="t") == []
    assert await history.rollouts.targets_of_instance("ns", "i-1", 9, 0, tenant_id="u") == []


async def test_those_of_one_second_are_ordered_by_their_uids(
    history: History, at: datetime
) -> None:
    """REST orders the live ones so; in another order a page would have a gap at the seam."""
    uids = ("b-1", "a-2", "a-10", "0f")
    for uid in uids:
        made = rollout(1, at, "succeeded")
        own = {**target(1, 0, at), "metadata": {**target(1, 0, at)["metadata"], "uid": f"t-{uid}"}}
        await history.rollouts.archive(made, [own], tenant_id="t", namespace="ns", uid=uid, at=at)
    page = await history.rollouts.list("ns", 9, 0, tenant_id="t")
    assert [one.uid for one in page] == sorted(uids, reverse=True)
    mine = await history.rollouts.targets_of_instance("ns", "i-0", 9, 0, tenant_id="t")
    assert [one.uid for one, _ in mine] == sorted((f"t-{uid}" for uid in uids), reverse=True)


async def test_a_target_needs_its_rollout(history: History, at: datetime) -> None:
    lonely = ArchivedTargetRow(
        rollout_uid="nobody",
        revision=1,
        uid="t",
        instance_id="i",
        position=0,
        created_at=at,
        wire={},
    )
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        async with history._database.write() as session:
            session.add(lonely)
