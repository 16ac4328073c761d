"""Polls by the hundred, examinations, and since when a manifest holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hydracore_history import DeepHealthReport, History, PollRecord


def good(n: int, at: datetime, **change: Any) -> PollRecord:
    values: dict[str, Any] = {"status": {"n": n}, "error": None, "failures": 0, "answered": True}
    return PollRecord(f"i-{n}", at, **(values | {"latency_ms": 1.5} | change))


def bad(n: int, at: datetime, failures: int, **change: Any) -> PollRecord:
    values: dict[str, Any] = {"status": None, "error": "refused", "answered": False}
    return PollRecord(f"i-{n}", at, failures=failures, **(values | change))


async def test_many_polls_are_one_write(
    history: History, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0
    database = history.health._database
    write = database.write

    def counted() -> Any:
        nonlocal begun
        begun += 1
        return write()

    monkeypatch.setattr(database, "write", counted)
    await history.health.polls([good(n, at) for n in range(400)] + [bad(400, at, 2)])
    assert begun == 1
    rows = await history.health.get_many([f"i-{n}" for n in range(401)])
    assert [rows[f"i-{n}"].last_status for n in range(400)] == [{"n": n} for n in range(400)]
    assert {row.latency_ms for row in rows.values()} == {1.5, None}
    assert (rows["i-400"].failures, rows["i-400"].last_error) == (2, "refused")


async def test_failures_come_on_top_unless_an_answer_lies_between(
    history: History, at: datetime
) -> None:
    later = at + timedelta(seconds=1)
    await history.health.polls([bad(1, at, 2), bad(2, at, 2), good(3, at)])
    await history.health.polls(
        [
            bad(1, later, 3),
            bad(2, later, 1, answered=True, status={"seen": True}),
            bad(3, later, 1),
        ]
    )
    rows = await history.health.get_many(["i-1", "i-2", "i-3"])
    assert [rows[f"i-{n}"].failures for n in (1, 2, 3)] == [5, 1, 1]
    assert (rows["i-2"].last_status, rows["i-2"].last_error) == ({"seen": True}, "refused")
    assert (rows["i-3"].last_status, rows["i-3"].latency_ms) == ({"n": 3}, 1.5)
    assert {row.last_poll_at for row in rows.values()} == {later}


async def test_nothing_to_store_is_no_transaction(
    history: History, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        raise AssertionError("a write transaction")

    monkeypatch.setattr(history._database, "write", write)
    await history.health.polls([])
    with pytest.raises(AssertionError, match="a write transaction"):
        await history.health.polls([good(1, at)])


async def test_a_failed_examination_keeps_the_last_report(history: History, at: datetime) -> None:
    later = at + timedelta(seconds=9)
    await history.health.polls([good(1, at)], [DeepHealthReport("i-1", at, {"a": 1}, None)])
    await history.health.polls([], [DeepHealthReport("i-1", later, None, "busy")])
    row = await history.health.get("i-1")
    assert row is not None
    assert (row.deep_health, row.deep_health_at, row.deep_health_error) == ({"a": 1}, at, "busy")
    assert (row.last_status, row.failures) == ({"n": 1}, 0)
    await history.health.polls([], [DeepHealthReport("i-1", later, {"a": 2}, None)])
    row = await history.health.get("i-1")
    assert row is not None
    assert (row.deep_health, row.deep_health_at, row.deep_health_error) == ({"a": 2}, later, None)


async def test_a_manifest_says_since_when_it_holds(history: History, at: datetime) -> None:
    async def beat(seconds: int, version: str) -> None:
        await history.health.heartbeat(
            "i-1",
            at=at + timedelta(seconds=seconds),
            versions={"skills": [], "runtime": {"version": version}},
            health_status="healthy",
            uptime_seconds=seconds,
        )

    seen = []
    for seconds, version in ((0, "1.0.0"), (60, "1.0.0"), (120, "1.1.0"), (180, "1.1.0")):
        await beat(seconds, version)
        row = await history.health.get("i-1")
        assert row is not None
        assert row.versions == {"skills": [], "runtime": {"version": version}}
        assert row.versions_reported_at == row.last_heartbeat == at + timedelta(seconds=seconds)
        assert row.versions_changed_at is not None
        seen.append((row.versions_changed_at - at).total_seconds())
    assert seen == [0, 0, 120, 120]
