"""What is sent to an honest agent and what its answers become."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hydracore_agentclient import (
    AgentClient,
    ControlPlaneKey,
    Order,
    Refused,
    Timeout,
    UnknownTask,
)
from tests.agentclient.agents import Identity, Request, serving
from tests.agentclient.conftest import NOW

SHA = "ab" * 32


def _order(**changes: Any) -> Order:
    values = {
        "task_id": str(uuid4()),
        "epoch": 3,
        "not_after": NOW + timedelta(minutes=15),
        "slug": "expressclaw",
        "version": "1.1.0",
        "sha256": SHA,
        "size_bytes": 1000,
        "key_id": "k1",
        "signature": "sig",
        "url": f"http://127.0.0.1:1/agent/v1/bundles/{SHA}",
        **changes,
    }
    return Order(**values)


def _report(task_id: str, **changes: Any) -> dict[str, Any]:
    return {"taskId": task_id, "state": "accepted", "final": False, **changes}


async def test_a_request_is_signed_for_one_instance_and_one_minute(
    client: AgentClient, control_key: ControlPlaneKey
) -> None:
    agent, seen = Identity(), []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(agent.answer(request, agent.status(extra="ignored")))

    async with serving(talk) as url:
        status = await client.status(agent.endpoint(url))
        await client.status(agent.endpoint(url))
    assert (status.instance_id, status.version) == (agent.instance_id, "1.0.0")
    first, second = (request.token for request in seen)
    public = Ed25519PublicKey.from_public_bytes(b64decode(control_key.public_key_base64))
    jwt.decode(
        first["raw"],
        public,
        algorithms=["EdDSA"],
        audience=agent.instance_id,
        options={"verify_iat": False, "verify_exp": False},
    )
    assert first["header"] == {"alg": "EdDSA", "typ": "hc-control+jwt", "kid": control_key.kid}
    issued = int(NOW.timestamp())
    assert {k: v for k, v in first["claims"].items() if k != "jti"} == {
        "iss": "hydracore",
        "aud": agent.instance_id,
        "sub": "operator",
        "iat": issued,
        "exp": issued + 60,
    }
    assert first["claims"]["jti"] != second["claims"]["jti"]


async def test_an_order_carries_its_fence(client: AgentClient) -> None:
    agent, order, seen = Identity(), _order(), []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(agent.answer(request, _report(order.task_id), status=202))

    async with serving(talk) as url:
        report = await client.send_order(agent.endpoint(url), order)
    assert (report.task_id, report.state, report.final) == (order.task_id, "accepted", False)
    assert (seen[0].method, seen[0].path) == ("POST", "/api/orders")
    token = json.loads(seen[0].body)["order"]
    assert jwt.get_unverified_header(token)["typ"] == "hc-order+jwt"
    assert jwt.decode(token, options={"verify_signature": False}) == {
        "iss": "hydracore",
        "aud": agent.instance_id,
        "jti": order.task_id,
        "iat": int(NOW.timestamp()),
        "exp": int(order.not_after.timestamp()),
        "kind": "install",
        "epoch": 3,
        "slug": "expressclaw",
        "version": "1.1.0",
        "sha256": SHA,
        "sizeBytes": 1000,
        "keyId": "k1",
        "signature": "sig",
        "url": order.url,
        "force": False,
    }


async def test_proved_refusals_keep_their_code(client: AgentClient) -> None:
    agent, task = Identity(), str(uuid4())
    answers = [(404, "unknown_task"), (409, "stale_epoch")]

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        status, code = answers.pop(0)
        writer.write(agent.answer(request, {"code": code, "message": "no"}, status=status))

    async with serving(talk) as url:
        with pytest.raises(UnknownTask):
            await client.task(agent.endpoint(url), task)
        with pytest.raises(Refused) as caught:
            await client.abort(agent.endpoint(url), task, 2)
    assert (caught.value.code, caught.value.status, caught.value.message) == (
        "stale_epoch",
        409,
        "no",
    )
    assert not isinstance(caught.value, UnknownTask)


async def test_deep_health(client: AgentClient) -> None:
    agent, paths = Identity(), []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        paths.append((request.method, request.path))
        body = {
            "status": "degraded",
            "checkedAt": "2030-01-01T00:00:00Z",
            "uptimeSeconds": 5,
            "subsystems": {"disk": {"status": "degraded", "message": "full", "latencyMs": 1}},
        }
        writer.write(agent.answer(request, body))

    async with serving(talk) as url:
        health = await client.deep_health(agent.endpoint(url))
    assert health.subsystems["disk"].message == "full"
    assert paths == [("GET", "/api/health/deep")]


async def test_chat_streams_the_events_as_they_come(client: AgentClient) -> None:
    agent, go_on = Identity(), asyncio.Event()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        assert json.loads(request.body) == {"message": "hi", "conversationId": "c1"}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Connection: close\r\n\r\nevent: token\ndata: {}\n\n")
        await writer.drain()
        await go_on.wait()
        writer.write(b"event: done\ndata: {}\n\n")
        await writer.drain()
        writer.close()

    async with serving(talk) as url, client.chat(agent.endpoint(url), "hi", "c1") as events:
        assert await anext(events) == b"event: token\ndata: {}\n\n"
        go_on.set()
        assert b"".join([chunk async for chunk in events]) == b"event: done\ndata: {}\n\n"


async def test_an_error_of_the_chats_reader_stays_what_it_is(client: AgentClient) -> None:
    agent = Identity()

    async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")

    async with serving(talk) as url:
        with pytest.raises(ValueError, match="reader"):
            async with client.chat(agent.endpoint(url), "hi"):
                raise ValueError("reader")


async def test_requests_take_turns_in_the_order_in_which_they_came(
    control_key: ControlPlaneKey,
) -> None:
    agents = [Identity() for _ in range(20)]
    arrived: list[str] = []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        asked = request.token["claims"]["aud"]
        arrived.append(asked)
        agent = next(a for a in agents if a.instance_id == asked)
        writer.write(agent.answer(request, agent.status()))

    client = AgentClient(control_key, subject="operator", now=lambda: NOW, connections=1)
    async with serving(talk) as url:
        await asyncio.gather(*(client.status(agent.endpoint(url)) for agent in agents))
    await client.close()
    assert arrived == [agent.instance_id for agent in agents]


async def test_a_request_whose_turn_does_not_come_is_not_sent(
    control_key: ControlPlaneKey,
) -> None:
    agent, calls, go_on = Identity(), [], asyncio.Event()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        calls.append(request)
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Connection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    client = AgentClient(
        control_key, subject="api", now=lambda: NOW, connections=1, total_seconds=0.2
    )

    async def chat() -> None:
        async with client.chat(agent.endpoint(url), "hi"):
            pass

    async with serving(talk) as url:
        first = asyncio.create_task(chat())
        while not calls:  # noqa: ASYNC110 - set by the server's side
            await asyncio.sleep(0.01)
        with pytest.raises(Timeout, match="nothing was sent"):
            await chat()
        go_on.set()
        await first
    await client.close()
    assert len(calls) == 1
