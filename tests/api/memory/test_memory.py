"""Memory: handed to the agent and back, bounded on the way."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.support.fake_agent import FakeAgent, running
from tests.api.support.world import RUNNING, World

ITEM = {
    "memory_id": "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11",
    "kind": "fact",
    "content": "likes tea",
    "customer_id": "ada",
    "conversation_id": None,
    "created_at": "2030-05-01T12:00:00.500Z",
}


@pytest.fixture
async def agent(world: World) -> AsyncIterator[FakeAgent]:
    async with running(FakeAgent("")) as found:
        status = RUNNING | {"agentUrl": found.url, "agentPublicKey": found.public_key}
        found.instance_id = str(world.instance("one", status=status).spec.id)
        yield found


async def ask(
    world: World, id_: object, method: str = "GET", query: str = "", body: Any = None
) -> httpx.Response:
    more = {} if body is None else {"json": body}
    return await world.call(method, f"/v1/instances/{id_}/memory{query}", **more)


async def test_it_is_listed_as_asked_for(world: World, agent: FakeAgent) -> None:
    answer = await ask(world, agent.instance_id, query="?customer_id=a%26b&conversation_id=c:1")
    assert answer.status_code == 200
    assert answer.json() == {
        "instance_id": agent.instance_id,
        "count": 1,
        "memories": [ITEM],
        "status": {"status": "healthy", "stored": 7},
    }
    ((_, query, _),) = agent.asked
    assert httpx.QueryParams(query) == httpx.QueryParams(
        {"limit": "100", "customerId": "a&b", "conversationId": "c:1"}
    )


async def test_it_is_added(world: World, agent: FakeAgent) -> None:
    body = {"content": "likes tea", "customer_id": "ada"}
    answer = await ask(world, agent.instance_id, "POST", body=body)
    assert answer.json() == {
        "instance_id": agent.instance_id,
        "status": "stored",
        "memory": ITEM,
    }
    ((_, _, told),) = agent.asked
    assert json.loads(told) == {"content": "likes tea", "customerId": "ada", "kind": "fact"}


async def test_it_is_forgotten_by_conditions_and_as_a_whole(world: World, agent: FakeAgent) -> None:
    body = {"customer_id": "ada", "kind": "procedure"}
    answer = await ask(world, agent.instance_id, "DELETE", body=body)
    assert answer.json() == {"instance_id": agent.instance_id, "status": "deleted", "deleted": 3}
    await ask(world, agent.instance_id, "DELETE", body={})
    told = [json.loads(body) for _, _, body in agent.asked]
    assert told == [{"customerId": "ada", "kind": "procedure"}, {}]


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("GET", "?limit=0", None),
        ("GET", "?limit=201", None),
        ("GET", "?conversation_id=a/b", None),
        ("GET", "?customer_id=", None),
        ("GET", "?customer_id=a%00b", None),
        ("POST", "", {}),
        ("POST", "", {"content": ""}),
        ("POST", "", {"content": "x" * 4001}),
        ("POST", "", {"content": "x", "kind": "rumour"}),
        ("POST", "", {"content": "x", "secret": 1}),
        ("DELETE", "", None),
        ("DELETE", "", {"customer": "ada"}),
        ("DELETE", "", {"memory_id": "one"}),
    ],
)
async def test_bad_requests_do_not_reach_the_agent(
    world: World, agent: FakeAgent, method: str, query: str, body: Any
) -> None:
    answer = await ask(world, agent.instance_id, method, query, body)
    assert answer.status_code == 422
    assert agent.asked == []


@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("POST", {"content": "x"}), ("DELETE", {})]
)
async def test_of_whom_it_cannot_be_had(world: World, method: str, body: Any) -> None:
    away, young = world.instance("away"), world.instance("young", status={})
    theirs = world.instance("theirs", "other")
    assert (await ask(world, away.spec.id, method, body=body)).status_code == 502
    assert (await ask(world, young.spec.id, method, body=body)).status_code == 409
    known = await ask(world, theirs.spec.id, method, body=body)
    unknown = await ask(world, uuid.uuid4(), method, body=body)
    assert (known.status_code, known.content) == (404, unknown.content)
