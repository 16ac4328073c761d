"""Audit events as REST shows them."""

from __future__ import annotations

import pytest

from hydracore_crds import Instance
from tests.api.support.events import audit, enrolled, post
from tests.api.support.world import World


@pytest.fixture
async def instance(world: World) -> Instance:
    return await enrolled(world, world.instance("one"))


async def test_the_newest_comes_first_with_all_that_was_said(
    world: World, instance: Instance
) -> None:
    full = {
        "role": "user",
        "conversation_id": "c:1",
        "request_id": "r-1",
        "server_slug": "files",
        "tool_name": "read_file",
        "metadata_json": {"path": "/a", "sizes": [1, 2]},
    }
    await post(world, "audit", instance, audit("old", event_ts="2030-05-01T11:00:00Z"))
    await post(world, "audit", instance, audit("new", outcome="denied", **full))
    new, old = (await world.call("GET", f"/v1/instances/{instance.spec.id}/runtime/audit")).json()
    assert new["id"] != old["id"]
    assert {k: v for k, v in new.items() if k not in {"id", "ingested_at", "event_ts"}} == {
        "event_id": "new",
        "event_type": "tool_call",
        "source": "mcp",
        "outcome": "denied",
        **full,
    }
    assert new["event_ts"].startswith("2030-05-01T11:59:00")
    assert (old["event_id"], old["role"], old["metadata_json"]) == ("old", None, {})


async def test_they_come_in_pages(world: World, instance: Instance) -> None:
    stamps = [f"2030-05-01T11:00:0{n}Z" for n in range(5)]
    await post(
        world, "audit", instance, *(audit(f"e-{n}", event_ts=at) for n, at in enumerate(stamps))
    )
    path = f"/v1/instances/{instance.spec.id}/runtime/audit"
    page = (await world.call("GET", f"{path}?limit=2&offset=1")).json()
    assert [one["event_id"] for one in page] == ["e-3", "e-2"]
    assert (await world.call("GET", f"{path}?offset=5")).json() == []


async def test_the_summary_counts_them(world: World, instance: Instance) -> None:
    path = f"/v1/instances/{instance.spec.id}/runtime/audit/summary"
    assert (await world.call("GET", path)).json() == {
        "total_events": 0,
        "success_events": 0,
        "denied_events": 0,
        "error_events": 0,
        "by_source": {},
    }
    await post(
        world,
        "audit",
        instance,
        audit("a"),
        audit("b", outcome="denied"),
        audit("c", source="chat", outcome="error"),
        audit("d"),
    )
    assert (await world.call("GET", path)).json() == {
        "total_events": 4,
        "success_events": 2,
        "denied_events": 1,
        "error_events": 1,
        "by_source": {"chat": 1, "mcp": 3},
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "offset=-1", f"offset={2**63}"])
async def test_pages_are_bounded(world: World, instance: Instance, query: str) -> None:
    path = f"/v1/instances/{instance.spec.id}/runtime/audit?{query}"
    assert (await world.call("GET", path)).status_code == 422
