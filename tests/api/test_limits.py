"""Sizes and deadlines of requests and streams; errors keep the inside inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from hydracore_api.streams import BoundedStream
from tests.api.support.serving import serving
from tests.api.support.world import World, close_world, make_world


async def test_a_body_beyond_the_limit(world: World) -> None:
    headers = {**(await world.key()), "Content-Type": "application/json"}
    big = b'{"agent_name": "' + b"x" * (1024 * 1024) + b'"}'
    answer = await world.call("POST", "/v1/instances", headers=headers, content=big)
    assert answer.status_code == 413
    assert answer.json()["detail"]

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    answer = await world.call("POST", "/v1/instances", headers=headers, content=drip())
    assert answer.status_code == 413


async def test_a_body_that_never_ends(tmp_path: Path) -> None:
    world = await make_world(tmp_path, receive_seconds=0.3)
    world.tenant("acme")
    key = (await world.key())["X-Api-Key"]
    async with serving(world) as url, asyncio.timeout(5):
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"POST /v1/instances HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
        head = await reader.readuntil(b"\r\n")
        assert b"408" in head
        writer.close()
    await close_world(world)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/instances/", 404),
        ("PUT", "/v1/instances", 405),
        ("GET", "/v1/instances/%00", 422),
        ("GET", "/v1/instances/%2e%2e%2fx", 404),
        ("GET", "/v1/instances/..%252f..%252fx", 422),
        ("GET", "/v1/instances/00000000-0000-0000-0000-00000000000g", 422),
    ],
)
async def test_errors_have_one_shape(world: World, method: str, path: str, status: int) -> None:
    answer = await world.call(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}


async def test_what_nobody_foresaw_stays_inside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(world.services.cache.instances, "in_namespace", broken)
    headers = await world.key()
    with structlog.testing.capture_logs() as logged:
        answer = await world.call("GET", "/v1/instances", headers=headers)
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    (entry,) = [one for one in logged if one["event"] == "request_failed"]
    assert (entry["path"], repr(entry["exc_info"])) == (
        "/v1/instances",
        "RuntimeError('password=hunter2')",
    )
    assert headers["X-Api-Key"] not in repr(logged)


class Source:
    """Pieces without end; knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            self.closed.set()


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def test_a_client_that_stops_reading_is_left() -> None:
    source = Source()
    sent = 0

    async def send(message: dict[str, Any]) -> None:
        nonlocal sent
        sent += 1
        if sent > 3:
            await asyncio.Event().wait()

    stream = BoundedStream(source.pieces(), media_type="text/plain", send_seconds=0.1)
    async with asyncio.timeout(3):
        await stream({"type": "http"}, never, send)  # type: ignore[arg-type]
    assert source.closed.is_set()


async def test_a_source_is_closed_though_nothing_was_asked_of_it() -> None:
    class Unread:
        closed = False

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError("nobody takes it")

        async def aclose(self) -> None:
            self.closed = True

    async def send(_: dict[str, Any]) -> None:
        raise OSError("gone")

    source = Unread()
    stream = BoundedStream(source, media_type="text/plain")
    await stream({"type": "http"}, never, send)  # type: ignore[arg-type]
    assert source.closed


async def test_a_client_that_disconnects_ends_the_source() -> None:
    source = Source()
    left = asyncio.Event()
    sent = 0

    async def send(message: dict[str, Any]) -> None:
        nonlocal sent
        sent += 1
        await asyncio.sleep(0)
        if sent == 5:
            left.set()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    stream = BoundedStream(source.pieces(), media_type="text/plain")
    async with asyncio.timeout(3):
        await stream({"type": "http"}, receive, send)  # type: ignore[arg-type]
    assert source.closed.is_set()


async def test_a_source_that_fails_leaves_the_body_unfinished() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        raise RuntimeError("disk")

    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await BoundedStream(pieces(), media_type="text/plain")({"type": "http"}, never, send)  # type: ignore[arg-type]
    assert messages[-1]["more_body"] is True
