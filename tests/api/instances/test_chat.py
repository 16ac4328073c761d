"""Chat: handed through, ended with the client, one stream for each conversation."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hydracore_api.auth.principal import Principal
from hydracore_api.instances import chat as chats
from hydracore_api.instances.schemas import ChatMessage
from tests.api.support.fake_agent import FakeAgent, running
from tests.api.support.serving import serving
from tests.api.support.world import RUNNING, World


@pytest.fixture
async def agent(world: World) -> AsyncIterator[FakeAgent]:
    async with running(FakeAgent(str(uuid.uuid4()))) as found:
        status = {**RUNNING, "agentUrl": found.url, "agentPublicKey": found.public_key}
        world.instance("one", id=found.instance_id, status=status)
        yield found


async def chat(world: World, agent: FakeAgent, **body: Any) -> httpx.Response:
    path = f"/v1/instances/{agent.instance_id}/chat"
    return await world.call("POST", path, json={"message": "hi", **body})


async def test_the_agents_events_are_handed_through(world: World, agent: FakeAgent) -> None:
    agent.answers.set()
    answer = await chat(world, agent, conversation_id="c:1")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.text == (
        'event: conversation\ndata: {"conversation_id": "c:1"}\n\n'
        'event: token\ndata: {"text": "hello"}\n\n'
        'event: done\ndata: {"offline": true}\n\n'
    )
    assert agent.chats == [{"message": "hi", "conversationId": "c:1"}]
    assert world.services.streams == set()


async def test_a_conversation_is_made_where_none_is_named(world: World, agent: FakeAgent) -> None:
    agent.answers.set()
    answer = await chat(world, agent)
    (asked,) = agent.chats
    assert uuid.UUID(asked["conversationId"]).version == 4
    assert asked["conversationId"] in answer.text.split("\n\n")[0]


@pytest.mark.parametrize(
    "body",
    [
        {"message": ""},
        {"message": "x" * 8001},
        {"conversation_id": "a b"},
        {"conversation_id": "../x"},
        {"conversation_id": "x" * 129},
        {"conversation_id": "a\n"},
        {"more": 1},
        {"message": "\x00"},
    ],
)
async def test_bad_messages(world: World, agent: FakeAgent, body: dict[str, Any]) -> None:
    assert (await chat(world, agent, **body)).status_code == 422
    assert agent.chats == []


async def test_an_agent_that_is_away(world: World) -> None:
    one = world.instance("two")
    answer = await world.call("POST", f"/v1/instances/{one.spec.id}/chat", json={"message": "hi"})
    assert answer.status_code == 502
    assert "127.0.0.1" not in answer.text
    assert world.services.streams == set()


async def test_an_instance_that_is_not_running(world: World) -> None:
    one = world.instance("two", status={**RUNNING, "state": "provisioning"})
    answer = await world.call("POST", f"/v1/instances/{one.spec.id}/chat", json={"message": "hi"})
    assert answer.status_code == 409


@pytest.mark.parametrize(("theirs", "ours"), [(409, 409), (500, 502), (401, 502)])
async def test_an_agent_that_refuses(
    world: World, agent: FakeAgent, theirs: int, ours: int
) -> None:
    agent.chat_status = theirs
    answer = await chat(world, agent)
    assert answer.status_code == ours
    assert "SECRET" not in answer.text
    assert world.services.streams == set()


async def test_one_stream_for_each_conversation(world: World, agent: FakeAgent) -> None:
    first = asyncio.create_task(chat(world, agent, conversation_id="c"))
    await asyncio.wait_for(agent.began.wait(), 5)
    second = await chat(world, agent, conversation_id="c")
    assert second.status_code == 409
    agent.answers.set()
    assert (await chat(world, agent, conversation_id="d")).status_code == 200
    assert (await first).status_code == 200
    assert (await chat(world, agent, conversation_id="c")).status_code == 200


async def test_a_client_that_leaves_ends_the_agents_work(world: World, agent: FakeAgent) -> None:
    headers = await world.key()
    async with serving(world) as url, httpx.AsyncClient(base_url=url, timeout=5) as client:
        path = f"/v1/instances/{agent.instance_id}/chat"
        async with client.stream("POST", path, headers=headers, json={"message": "hi"}) as answer:
            assert answer.status_code == 200
            await anext(answer.aiter_bytes())
            assert len(world.services.streams) == 1
        await asyncio.wait_for(agent.ended.wait(), 5)
    assert world.services.streams == set()


async def test_an_agent_that_floods_is_cut(world: World, agent: FakeAgent) -> None:
    agent.flood = True
    answer = await chat(world, agent)
    assert answer.text.endswith("\n\n")
    assert "event: error" in answer.text.rsplit("\n\n", 2)[-2]
    assert len(answer.content) < 9 * 1024 * 1024


async def test_a_client_that_left_before_the_first_byte(world: World, agent: FakeAgent) -> None:
    async def gone(_: Any) -> None:
        raise OSError("gone")

    async def never() -> Any:
        await asyncio.Event().wait()

    record = await world.services.authenticator.find((await world.key())["X-Api-Key"])
    assert record is not None
    message = ChatMessage(message="hi", conversation_id="c")
    stream = await chats.chat(
        world.services, Principal(record, "127.0.0.1"), agent.instance_id, message
    )
    assert world.services.streams == {(agent.instance_id, "c")}
    await stream({"type": "http"}, never, gone)
    assert world.services.streams == set()
    await asyncio.wait_for(agent.ended.wait(), 5)
