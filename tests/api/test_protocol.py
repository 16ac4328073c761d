"""Requests that never become whole, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from hydracore_api.protocol import MAX_HEAD_BYTES
from tests.api.support.serving import serving
from tests.api.support.world import close_world, make_world

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    world = await make_world(tmp_path, receive_seconds=0.3)
    async with serving(world) as url:
        yield int(url.rpartition(":")[2])
    await close_world(world)


@pytest.mark.parametrize(
    ("begun", "drip"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"GET /healthz HT", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"x"),
        (REQUEST, b"\r\n"),
        (REQUEST + b"GET /healthz HT", b""),
        (REQUEST + b"GET /healthz HTTP/1.1\r\nX-Slow: ", b"x"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b"x"),
    ],
)
async def test_what_drips_in_is_cut_off(port: int, begun: bytes, drip: bytes) -> None:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        dripping = asyncio.create_task(_drip(writer, drip))
        with suppress(ConnectionError):
            answers = await reader.read()
            assert answers.count(b'"ok"}') == begun.count(b"\r\n\r\n")
        dripping.cancel()
        writer.close()


async def test_a_head_too_long_is_cut_off(port: int) -> None:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD_BYTES * 2))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()


async def test_requests_one_after_another_and_pipelined(port: int) -> None:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(REQUEST)
            await reader.readuntil(b'"ok"}')
            await asyncio.sleep(0.2)
        writer.write(REQUEST * 3)
        for _ in range(3):
            await reader.readuntil(b'"ok"}')
        writer.close()


async def _drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while not writer.is_closing():
        writer.write(piece)
        await asyncio.sleep(0.05)
