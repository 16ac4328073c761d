"""Deep health: the stored report, and a new one by force."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from hydracore_crds import Instance
from hydracore_history import DeepHealthReport, HistoryUnavailable
from tests.api.support.fake_agent import FakeAgent, running
from tests.api.support.world import RUNNING, World

REPORT = {
    "cached": False,
    "status": "degraded",
    "checked_at": "2030-05-01T12:00:00.500Z",
    "uptime_seconds": 12,
    "subsystems": {
        "disk": {"status": "degraded", "message": "nearly full", "latency_ms": 1.25},
        "process": {"status": "healthy", "message": "", "latency_ms": None},
    },
}


@pytest.fixture
async def agent(world: World) -> AsyncIterator[FakeAgent]:
    async with running(FakeAgent("")) as found:
        status = RUNNING | {"agentUrl": found.url, "agentPublicKey": found.public_key}
        found.instance_id = str(world.instance("one", status=status).spec.id)
        yield found


def path(id_: object, *, force: bool = False) -> str:
    return f"/v1/instances/{id_}/health/deep" + ("?force=true" if force else "")


async def test_without_a_report_nothing_is_known_and_the_agent_is_left_alone(
    world: World, agent: FakeAgent
) -> None:
    answer = await world.call("GET", path(agent.instance_id))
    assert answer.status_code == 200
    assert answer.json() == {
        "instance_id": agent.instance_id,
        "cached": True,
        "status": "unknown",
        "checked_at": None,
        "uptime_seconds": None,
        "subsystems": {},
    }
    assert agent.examined == 0


async def test_by_force_the_agent_examines_itself_and_its_report_is_kept(
    world: World, agent: FakeAgent
) -> None:
    fresh = await world.call("GET", path(agent.instance_id, force=True))
    assert (fresh.status_code, fresh.json()) == (200, {"instance_id": agent.instance_id, **REPORT})
    kept = await world.call("GET", path(agent.instance_id))
    assert kept.json() == {**fresh.json(), "cached": True}
    assert agent.examined == 1


async def test_a_report_of_an_agent_that_is_away_is_still_shown(world: World) -> None:
    gone = world.instance("gone", status=RUNNING | {"state": "error"})
    stored = {"status": "healthy", "checkedAt": "2030-05-01T11:00:00Z", "uptimeSeconds": 1}
    report = DeepHealthReport(str(gone.spec.id), world.clock(), stored, None)
    await world.history.health.polls([], [report])
    assert (await world.call("GET", path(gone.spec.id))).json()["status"] == "healthy"
    forced = await world.call("GET", path(gone.spec.id, force=True))
    assert forced.status_code == 409


async def test_a_stored_report_that_cannot_be_read_is_none(world: World) -> None:
    one = world.instance("one")
    report = DeepHealthReport(str(one.spec.id), world.clock(), {"status": "odd"}, None)
    await world.history.health.polls([], [report])
    assert (await world.call("GET", path(one.spec.id))).json()["status"] == "unknown"


async def test_an_agent_that_cannot_be_asked_is_502_without_its_words(world: World) -> None:
    one = world.instance("one")
    answer = await world.call("GET", path(one.spec.id, force=True))
    assert answer.status_code == 502
    assert "127.0.0.1" not in answer.text


async def test_a_database_that_is_away_does_not_keep_a_new_report_from_being_shown(
    world: World, agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise HistoryUnavailable("the database is away")

    monkeypatch.setattr(world.history.health, "polls", away)
    assert (await world.call("GET", path(agent.instance_id, force=True))).status_code == 200


async def test_another_tenants_is_as_an_unknown_one(world: World, agent: FakeAgent) -> None:
    theirs: Instance = world.instance("theirs", "other")
    for force in (False, True):
        known = await world.call("GET", path(theirs.spec.id, force=force))
        unknown = await world.call("GET", path(uuid.uuid4(), force=force))
        assert (known.status_code, known.content) == (404, unknown.content)
    assert agent.examined == 0
