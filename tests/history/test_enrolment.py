"""Provision log, stage reports and credentials."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from hydracore_history import History, StageResult
from hydracore_history.provision_log import MAX_LINES, MAX_MESSAGE


async def append(
    history: History, message: str, at: datetime, key: str | None = None, who: str = "i-1"
) -> int:
    return await history.provision_log.append(
        who, stage="ordered", level="info", message=message, at=at, key=key
    )


async def test_lines_are_numbered_for_each_instance(history: History, at: datetime) -> None:
    assert [await append(history, text, at) for text in "abc"] == [1, 2, 3]
    assert await append(history, "other", at, who="i-2") == 1
    lines = await history.provision_log.list("i-1")
    assert [(line.seq, line.message) for line in lines] == [(1, "a"), (2, "b"), (3, "c")]
    assert lines[0].created_at == at
    assert await history.provision_log.list("i-3") == []


async def test_the_same_key_writes_once(history: History, at: datetime) -> None:
    assert await append(history, "a", at, "k1") == 1
    assert await append(history, "b", at, "k2") == 2
    assert await append(history, "a again", at, "k1") == 1
    assert await append(history, "c", at) == 3
    assert await append(history, "other", at, "k1", who="i-2") == 1
    assert [line.message for line in await history.provision_log.list("i-1")] == ["a", "b", "c"]


async def test_the_same_key_at_once_writes_once(
    history: History, database_url: str, at: datetime
) -> None:
    other = History(database_url, timeout_seconds=20)
    found = await asyncio.gather(*(append(one, "a", at, "k") for one in (history, other) * 5))
    assert set(found) == {1}
    assert len(await history.provision_log.list("i-1")) == 1
    await other.close()


async def test_long_messages_and_long_logs_are_cut(history: History, at: datetime) -> None:
    await append(history, "x" * (MAX_MESSAGE + 10), at)
    assert len((await history.provision_log.list("i-1"))[0].message) == MAX_MESSAGE
    assert MAX_LINES == 1000


async def test_times_come_back_aware_and_in_utc(history: History) -> None:
    east = datetime(2030, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    await append(history, "a", east)
    stored = (await history.provision_log.list("i-1"))[0].created_at
    assert stored == east
    assert stored.tzinfo is UTC


async def test_times_without_zone_are_refused(history: History) -> None:
    with pytest.raises(Exception, match="without zone"):
        await append(history, "a", datetime(2030, 1, 1))  # noqa: DTZ001


async def record(history: History, seq: int, at: datetime, stage: str = "booting") -> StageResult:
    return await history.stages.record(
        "i-1", stage=stage, seq=seq, level="info", message=f"at {stage}", at=at
    )


async def test_only_rising_stage_reports_count(history: History, at: datetime) -> None:
    assert await history.stages.latest("i-1") is None
    assert await record(history, 1, at) == StageResult(accepted=True, last_seq=1)
    assert await record(history, 3, at, "cloud_init") == StageResult(accepted=True, last_seq=3)
    assert await record(history, 3, at, "healthy") == StageResult(accepted=False, last_seq=3)
    assert await record(history, 2, at, "healthy") == StageResult(accepted=False, last_seq=3)
    latest = await history.stages.latest("i-1")
    assert latest is not None
    assert (latest.stage, latest.seq, latest.since) == ("cloud_init", 3, at)
    lines = await history.provision_log.list("i-1")
    assert [line.stage for line in lines] == ["booting", "cloud_init"]
    await history.stages.remove("i-1")
    assert await history.stages.latest("i-1") is None
    assert len(await history.provision_log.list("i-1")) == 2


async def test_a_stage_begins_with_its_first_report(history: History, at: datetime) -> None:
    """Whoever complains again and again at one stage does not put off its time limit."""

    async def complain(seq: int, text: str, minutes: int) -> None:
        await history.stages.record(
            "i-1",
            stage="cloud_init",
            seq=seq,
            level="error",
            message=text,
            at=at + timedelta(minutes=minutes),
        )

    await complain(1, "refused", 0)
    await complain(2, "refused", 1)
    await complain(3, "refused", 2)
    await complain(4, "refused otherwise", 3)
    latest = await history.stages.latest("i-1")
    assert latest is not None
    assert (latest.seq, latest.message, latest.since) == (4, "refused otherwise", at)
    lines = await history.provision_log.list("i-1")
    assert [line.message for line in lines] == ["refused", "refused otherwise"]
    await record(history, 5, at + timedelta(minutes=4), "agent_enrolled")
    latest = await history.stages.latest("i-1")
    assert latest is not None
    assert latest.since == at + timedelta(minutes=4)


async def test_one_of_many_equal_reports_counts(
    history: History, database_url: str, at: datetime
) -> None:
    other = History(database_url, timeout_seconds=20)
    found = await asyncio.gather(*(record(one, 7, at) for one in (history, other) * 5))
    assert sorted(result.accepted for result in found) == [False] * 9 + [True]
    assert len(await history.provision_log.list("i-1")) == 1
    await other.close()


async def arm(history: History, token_hash: str) -> None:
    await history.credentials.arm("i-1", namespace="ns", name="one", token_hash=token_hash)


async def test_the_life_of_a_credential(history: History, at: datetime) -> None:
    credentials = history.credentials
    assert await credentials.get("i-1") is None
    await arm(history, "t1")
    found = await credentials.by_token_hash("t1")
    assert found is not None
    assert (found.instance_id, found.namespace, found.name) == ("i-1", "ns", "one")
    assert found.armed
    assert await credentials.issue_key("i-1", key_hash="k1", public_key="p1", at=at)
    assert not await credentials.issue_key("i-1", key_hash="k2", public_key="p2", at=at)
    found = await credentials.by_key_hash("k1")
    assert found is not None
    assert (found.public_key, found.issued_at) == ("p1", at)
    assert await credentials.by_key_hash("k2") is None

    await credentials.disarm("i-1", at)
    await credentials.disarm("i-1", at + timedelta(hours=1))
    assert await credentials.by_token_hash("t1") is None
    found = await credentials.get("i-1")
    assert found is not None
    assert (found.armed, found.first_heartbeat_at) == (False, at)

    await arm(history, "t1")  # the same token again: it stays ended
    assert await credentials.by_token_hash("t1") is None
    assert await credentials.by_key_hash("k1") is not None

    await arm(history, "t2")  # a new token: the key ends, another one can be issued
    assert await credentials.by_token_hash("t1") is None
    assert await credentials.by_key_hash("k1") is None
    assert await credentials.issue_key("i-1", key_hash="k3", public_key="p3", at=at)

    await credentials.remove("i-1")
    await credentials.remove("i-1")
    assert await credentials.get("i-1") is None


async def test_credential_and_stage_are_read_together(history: History, at: datetime) -> None:
    credentials, stages = history.credentials, history.stages
    assert await credentials.with_stage("i-1") == (None, None)
    await record(history, 1, at)
    assert await credentials.with_stage("i-1") == (None, await stages.latest("i-1"))
    await arm(history, "t1")
    credential, stage = await credentials.with_stage("i-1")
    assert credential is not None
    assert stage is not None
    assert (credential.name, stage.stage) == ("one", "booting")
    assert await credentials.with_stage("i-2") == (None, None)


async def test_a_key_is_issued_to_one_of_many(history: History, at: datetime) -> None:
    await arm(history, "t1")
    issued = await asyncio.gather(
        *(
            history.credentials.issue_key("i-1", key_hash=f"k{n}", public_key="p", at=at)
            for n in range(8)
        )
    )
    assert sum(issued) == 1


async def test_no_key_for_the_unknown_or_after_the_token_ended(
    history: History, at: datetime
) -> None:
    assert not await history.credentials.issue_key("i-9", key_hash="k", public_key="p", at=at)
    await arm(history, "t1")
    await history.credentials.disarm("i-1", at)
    assert not await history.credentials.issue_key("i-1", key_hash="k", public_key="p", at=at)
