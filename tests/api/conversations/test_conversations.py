"""Conversations: only with consent, from the agent alone."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from hydracore_crds import Instance
from tests.api.support.fake_agent import FakeAgent, running
from tests.api.support.world import RUNNING, World

SAID = [
    {"role": "user", "text": "hello", "at": "2030-05-01T11:00:00.000Z"},
    {"role": "assistant", "text": "SECRET of the user", "at": "2030-05-01T11:00:01.500Z"},
]


@pytest.fixture
async def agent(world: World) -> AsyncIterator[FakeAgent]:
    async with running(FakeAgent("")) as found:
        status = RUNNING | {"agentUrl": found.url, "agentPublicKey": found.public_key}
        found.instance_id = str(world.instance("one", status=status).spec.id)
        found.conversations = {"c:1_a-b": SAID, "older": SAID[:1]}
        yield found


async def ask(world: World, id_: object, tail: str = "") -> httpx.Response:
    return await world.call("GET", f"/v1/instances/{id_}/conversations{tail}")


async def consent(world: World, id_: object, *, given: bool = True) -> httpx.Response:
    body = {"consent_debug_access": given}
    return await world.call("PATCH", f"/v1/instances/{id_}/consent", json=body)


async def test_without_consent_nobody_reads_and_the_agent_is_not_asked(
    world: World, agent: FakeAgent
) -> None:
    for tail in ("", "/c:1_a-b", "/unknown"):
        answer = await ask(world, agent.instance_id, tail)
        assert answer.status_code == 403
        assert "consent" in answer.json()["detail"]
        assert "SECRET" not in answer.text


async def test_with_consent_they_are_read_until_it_ends(world: World, agent: FakeAgent) -> None:
    given = await consent(world, agent.instance_id)
    assert (given.status_code, given.json()["consent_debug_access"]) == (200, True)
    assert (await ask(world, agent.instance_id)).json() == {
        "instance_id": agent.instance_id,
        "conversations": [
            {
                "conversation_id": "c:1_a-b",
                "messages": 2,
                "first_message_at": "2030-05-01T11:00:00.000Z",
                "last_message_at": "2030-05-01T11:00:01.500Z",
            },
            {
                "conversation_id": "older",
                "messages": 1,
                "first_message_at": "2030-05-01T11:00:00.000Z",
                "last_message_at": "2030-05-01T11:00:00.000Z",
            },
        ],
    }
    one = (await ask(world, agent.instance_id, "/c:1_a-b")).json()
    assert (one["conversation_id"], one["truncated"]) == ("c:1_a-b", False)
    assert [(m["role"], m["content"]) for m in one["messages"]] == [
        ("user", "hello"),
        ("assistant", "SECRET of the user"),
    ]
    ended = await consent(world, agent.instance_id, given=False)
    assert ended.json()["consent_debug_access"] is False
    assert (await ask(world, agent.instance_id)).status_code == 403


async def test_the_list_is_bounded(world: World, agent: FakeAgent) -> None:
    await consent(world, agent.instance_id)
    found = (await ask(world, agent.instance_id, "?limit=1")).json()
    assert [one["conversation_id"] for one in found["conversations"]] == ["c:1_a-b"]
    for limit in ("0", "101", "x"):
        assert (await ask(world, agent.instance_id, f"?limit={limit}")).status_code == 422


async def test_an_unknown_conversation_is_404_without_the_agents_words(
    world: World, agent: FakeAgent
) -> None:
    await consent(world, agent.instance_id)
    answer = await ask(world, agent.instance_id, "/unknown")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Conversation not found"})


async def test_an_agent_that_tells_of_another_conversation_is_not_believed(
    world: World, agent: FakeAgent
) -> None:
    await consent(world, agent.instance_id)
    agent.claims_id = "other"
    assert (await ask(world, agent.instance_id, "/older")).status_code == 502


async def test_an_agent_that_is_away_or_not_there_yet(world: World) -> None:
    away = world.instance("away", consentDebugAccess=True)
    assert (await ask(world, away.spec.id)).status_code == 502
    young = world.instance("young", status={}, consentDebugAccess=True)
    assert (await ask(world, young.spec.id)).status_code == 409


async def test_the_same_consent_again_writes_nothing(world: World, agent: FakeAgent) -> None:
    first = await consent(world, agent.instance_id)
    assert (await consent(world, agent.instance_id)).content == first.content
    await consent(world, world.instance("two").spec.id, given=False)
    assert world.kube.called("patch", Instance) == 1


async def test_nothing_is_changed_while_it_is_deleted(world: World, agent: FakeAgent) -> None:
    await world.call("DELETE", f"/v1/instances/{agent.instance_id}")
    assert (await consent(world, agent.instance_id)).status_code == 409


@pytest.mark.parametrize("body", [{}, {"consent_debug_access": "yes"}, {"consent_debug_access": 1}])
async def test_consent_is_said_in_so_many_words(
    world: World, agent: FakeAgent, body: dict[str, object]
) -> None:
    path = f"/v1/instances/{agent.instance_id}/consent"
    assert (await world.call("PATCH", path, json=body)).status_code == 422


async def test_only_admins_give_consent(world: World, agent: FakeAgent) -> None:
    key = await world.key(admin=False)
    path = f"/v1/instances/{agent.instance_id}/consent"
    body = {"consent_debug_access": True}
    assert (await world.call("PATCH", path, headers=key, json=body)).status_code == 403


async def test_another_tenants_is_as_an_unknown_one(world: World) -> None:
    theirs = world.instance("theirs", "other", consentDebugAccess=True).spec.id
    unknown = uuid.uuid4()
    for tail in ("", "/c"):
        known = await ask(world, theirs, tail)
        assert (known.status_code, known.content) == (
            404,
            (await ask(world, unknown, tail)).content,
        )
    known = await consent(world, theirs)
    assert (known.status_code, known.content) == (404, (await consent(world, unknown)).content)
