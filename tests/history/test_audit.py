"""Audit events: stored once, read newest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hydracore_history import AuditEvent, History

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=30)


def event(id_: str, seconds: int = 0, **changes: object) -> AuditEvent:
    base = AuditEvent(id_, NOON + timedelta(seconds=seconds), "tool_call", "mcp", "success")
    return replace(base, **changes)  # type: ignore[arg-type]


async def record(history: History, *events: AuditEvent, instance: str = "i-1") -> int:
    return await history.audit.record(instance, events, namespace="ns", at=LATER)


async def test_all_of_an_event_is_kept(history: History) -> None:
    full = event(
        "e-1",
        role="user",
        conversation_id="c",
        request_id="r",
        server_slug="files",
        tool_name="read",
        details={"path": "/a\x00b", "deep": [{"n": 1}]},
    )
    assert await record(history, full) == 1
    (found,) = await history.audit.list("i-1", 10, 0)
    assert found.id
    assert found.ingested_at == LATER
    kept = {"path": "/a\ufffdb", "deep": [{"n": 1}]}
    assert replace(found, id="", ingested_at=None) == replace(full, details=kept)


async def test_an_event_is_stored_once(history: History) -> None:
    assert await record(history, event("e-1"), event("e-1", outcome="error")) == 1
    assert await record(history, event("e-1"), event("e-2")) == 1
    assert await record(history, event("e-1"), instance="i-2") == 1
    assert await history.audit.counts("i-1") == {("mcp", "success"): 2}


async def test_the_newest_come_first_in_pages(history: History) -> None:
    await record(history, *(event(f"e-{n}", seconds=n) for n in range(5)))
    pages = [await history.audit.list("i-1", 2, offset) for offset in (0, 2, 4, 6)]
    ids = [[one.event_id for one in page] for page in pages]
    assert ids == [["e-4", "e-3"], ["e-2", "e-1"], ["e-0"], []]


async def test_they_are_counted_by_source_and_outcome(history: History) -> None:
    await record(
        history, event("a"), event("b", outcome="denied"), event("c", source="chat"), event("d")
    )
    assert await history.audit.counts("i-1") == {
        ("mcp", "success"): 2,
        ("mcp", "denied"): 1,
        ("chat", "success"): 1,
    }
