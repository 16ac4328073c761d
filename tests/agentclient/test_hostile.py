"""Hostile agents: each misdeed is its own typed error, within the deadline."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from hydracore_agentclient import (
    AgentClient,
    AgentEndpoint,
    AgentError,
    InvalidAnswer,
    Timeout,
    Unreachable,
    WrongIdentity,
)
from tests.agentclient.agents import Identity, Request, Talk, http, serving

DEADLINE_SECONDS = 1.0
MARGIN_SECONDS = 2.0
Answer = Callable[[Identity, Request], bytes]


async def _fault(
    client: AgentClient, talk: Talk, agent: Identity, kind: type[AgentError]
) -> AgentError:
    started = time.monotonic()
    async with serving(talk) as url:
        with pytest.raises(kind) as caught:
            await client.status(agent.endpoint(url))
    assert time.monotonic() - started < DEADLINE_SECONDS + MARGIN_SECONDS
    assert type(caught.value) is kind
    return caught.value


def _forged(agent: Identity, request: Request) -> bytes:
    other = Identity(instance_id=agent.instance_id)
    return other.answer(request, agent.status())


def _proof_header(agent: Identity, request: Request, proof: str) -> bytes:
    return http(json.dumps(agent.status()).encode(), headers={"X-Hydracore-Proof": proof})


def _unsigned(agent: Identity, request: Request) -> bytes:
    return http(json.dumps(agent.status()).encode())


def _other_bytes(agent: Identity, request: Request) -> bytes:
    return _proof_header(agent, request, agent.proof(request, b"other"))


def _not_json(agent: Identity, request: Request) -> bytes:
    data = b"\xff\xfe<html>"
    proof = agent.proof(request, data)
    return http(data, headers={"X-Hydracore-Proof": proof})


def _deep(agent: Identity, request: Request) -> bytes:
    data = b"[" * 100_000
    proof = agent.proof(request, data)
    return http(data, headers={"X-Hydracore-Proof": proof})


ANSWERS: dict[str, tuple[Answer, type[AgentError]]] = {
    "another key": (_forged, WrongIdentity),
    "no proof": (_unsigned, WrongIdentity),
    "proof of other bytes": (_other_bytes, WrongIdentity),
    "garbage as proof": (lambda a, r: _proof_header(a, r, "x.y.z"), WrongIdentity),
    "proof of another request": (
        lambda a, r: a.answer(r, a.status(), nonce=str(uuid4())),
        WrongIdentity,
    ),
    "proof of another instance": (
        lambda a, r: a.answer(r, a.status(), iss=str(uuid4())),
        WrongIdentity,
    ),
    "status of another instance": (
        lambda a, r: a.answer(r, a.status(instanceId=str(uuid4()))),
        WrongIdentity,
    ),
    "401 without proof": (lambda a, r: http(b"{}", status=401), WrongIdentity),
    "unproved 500": (lambda a, r: http(b'{"code": "x"}', status=500), WrongIdentity),
    "no JSON": (_not_json, InvalidAnswer),
    "JSON too deep": (_deep, InvalidAnswer),
    "another shape": (lambda a, r: a.answer(r, [1, 2]), InvalidAnswer),
    "a field amiss": (lambda a, r: a.answer(r, a.status(healthStatus="fine")), InvalidAnswer),
    "a text too long": (lambda a, r: a.answer(r, a.status(version="x" * 999)), InvalidAnswer),
    "redirect": (
        lambda a, r: http(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}),
        InvalidAnswer,
    ),
    "no HTTP": (lambda a, r: b"SSH-2.0-OpenSSH_9.2\r\n\r\n", InvalidAnswer),
    "huge header": (
        lambda a, r: http(b"{}", headers={"X-Big": "x" * 100_000}),
        InvalidAnswer,
    ),
    "refusal of another shape": (
        lambda a, r: a.answer(r, {"detail": "x"}, status=500),
        InvalidAnswer,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers(client: AgentClient, name: str) -> None:
    answer, kind = ANSWERS[name]
    agent = Identity()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(agent, request))

    await _fault(client, talk, agent, kind)


async def test_a_recorded_answer_cannot_be_replayed(client: AgentClient) -> None:
    agent = Identity()
    recorded: list[bytes] = []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        if not recorded:
            recorded.append(agent.answer(request, agent.status()))
        writer.write(recorded[0])

    async with serving(talk) as url:
        await client.status(agent.endpoint(url))
        with pytest.raises(WrongIdentity, match="another request"):
            await client.status(agent.endpoint(url))


async def test_a_redirect_is_not_followed(client: AgentClient) -> None:
    agent, reached = Identity(), asyncio.Event()

    async def target(_request: Request, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.write(http(b"{}"))

    async with serving(target) as target_url:

        async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(http(b"", status=307, headers={"Location": target_url + "/api/status"}))

        await _fault(client, talk, agent, InvalidAnswer)
    assert not reached.is_set()


async def test_a_flood_is_cut_off(client: AgentClient) -> None:
    agent, sent = Identity(), 0

    async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4096):
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    fault = await _fault(client, talk, agent, InvalidAnswer)
    assert "larger than" in fault.message
    assert sent < 64 * 1024 * 1024


async def test_a_compressed_bomb_is_not_unpacked(client: AgentClient) -> None:
    agent = Identity()

    async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"\x1f\x8b\x08\x00" + b"\0" * 64, headers={"Content-Encoding": "gzip"}))

    await _fault(client, talk, agent, WrongIdentity)


async def test_a_drip_ends_at_the_deadline(client: AgentClient) -> None:
    agent = Identity()

    async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    await _fault(client, talk, agent, Timeout)


async def test_silence_ends_at_the_deadline(client: AgentClient) -> None:
    async def talk(_request: Request, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    await _fault(client, talk, Identity(), Timeout)


async def test_a_connection_cut_in_mid_answer(client: AgentClient) -> None:
    async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.close()

    await _fault(client, talk, Identity(), Unreachable)


async def test_a_connection_closed_without_an_answer(client: AgentClient) -> None:
    async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.close()

    await _fault(client, talk, Identity(), Unreachable)


async def test_nobody_listens(client: AgentClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable):
        await client.status(AgentEndpoint(f"http://127.0.0.1:{port}", "i"))


async def test_the_environments_proxy_is_not_used(
    client: AgentClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Identity()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(agent.answer(request, agent.status()))

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(talk) as url:
        assert (await client.status(agent.endpoint(url))).healthy


async def test_a_key_that_is_none_proves_nothing(client: AgentClient) -> None:
    agent = Identity()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(agent.answer(request, agent.status()))

    async with serving(talk) as url:
        for key in ("", "!!", "c2hvcnQ="):
            with pytest.raises(WrongIdentity):
                await client.status(AgentEndpoint(url, agent.instance_id, key))


async def test_chat_without_events_is_no_chat(client: AgentClient) -> None:
    answers: list[Any] = [http(b"{}"), http(b'{"code": "busy"}', status=409)]

    async def talk(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))

    async with serving(talk) as url:
        for text in ("something else", "busy"):
            with pytest.raises(AgentError, match=text):
                await client.chat(Identity().endpoint(url), "hi").__aenter__()
