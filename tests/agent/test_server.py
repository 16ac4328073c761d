"""Serving on a real socket: idle callers go, others stay; taken ports are said."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hydracore_agent import server as module
from hydracore_agent.errors import PortTakenError, SettingsError
from hydracore_agent.listening import bind, check_free
from hydracore_agent.server import Server
from hydracore_agent.settings import Listen
from tests.agent.support.box import free_port

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b" again"})


@pytest_asyncio.fixture
async def port(monkeypatch) -> AsyncIterator[int]:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.2)
    sock, started = bind(Listen("127.0.0.1", free_port())), asyncio.Event()
    server = Server(app, started.set, lambda: None)
    task = asyncio.create_task(server.serve([sock]))
    await started.wait()
    yield sock.getsockname()[1]
    server.leave()
    await task


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
async def test_a_caller_that_completes_no_request_is_dropped(port, sent) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_slow_answer_is_not_cut(port) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    answer = await asyncio.wait_for(reader.read(), 10)
    assert b"hello" in answer
    assert b" again" in answer
    writer.close()


async def test_what_waits_is_let_go_before_the_end_is_waited_for() -> None:
    """Else it would hold up the switch until the grace is over."""
    stopping, asked = asyncio.Event(), asyncio.Event()

    async def waits(_scope: Any, _receive: Any, send: Any) -> None:
        asked.set()
        await stopping.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"let go"})

    sock, started = bind(Listen("127.0.0.1", free_port())), asyncio.Event()
    server = Server(waits, started.set, stopping.set)
    serving = asyncio.create_task(server.serve([sock]))
    await started.wait()
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(REQUEST)
    await asyncio.wait_for(asked.wait(), 5)
    begun = time.monotonic()
    server.leave()
    assert b"let go" in await asyncio.wait_for(reader.read(), 10)
    await serving
    assert time.monotonic() - begun < module.GRACE_SECONDS
    writer.close()


def test_a_taken_port_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"127.0.0.1 port {port} is taken"):
            check_free(Listen("127.0.0.1", port))


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1"):
        bind(Listen("192.0.2.1", free_port()))


def test_a_port_just_left_can_be_had_again() -> None:
    listen = Listen("127.0.0.1", free_port())
    bind(listen).close()
    bind(listen).close()
