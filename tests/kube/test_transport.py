"""Reads are tried again for a bounded time, writes never; every fault has its type."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from hydracore_kube import Malformed, Unavailable
from hydracore_kube.transport import READ_ATTEMPTS, Transport

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _serve(
    handler: Handler, waits: list[float], *, connections: int = 8
) -> AsyncIterator[Transport]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    transport = Transport(
        ApiClient(configuration),
        timeout_seconds=1.0,
        connections=connections,
        sleep=sleep,
        jitter=lambda: 0.5,
    )
    try:
        yield transport
    finally:
        await transport.close()
        await runner.cleanup()


async def test_a_read_is_tried_again_and_waits_as_asked() -> None:
    calls: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        calls.append(request.method)
        if len(calls) < 3:
            return web.json_response({}, status=429, headers={"Retry-After": "2"})
        return web.json_response({"ok": True})

    waits: list[float] = []
    async with _serve(handler, waits) as transport:
        assert await transport.json("GET", "/x") == {"ok": True}
    assert (calls, waits) == (["GET"] * 3, [2.0, 2.0])


async def test_reads_give_up_with_growing_pauses() -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="away")

    waits: list[float] = []
    async with _serve(handler, waits) as transport:
        with pytest.raises(Unavailable):
            await transport.json("GET", "/x")
    assert len(waits) == READ_ATTEMPTS - 1
    assert waits == sorted(waits)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_write_is_sent_once(method: str) -> None:
    calls: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        calls.append(request.method)
        return web.json_response({"message": "later"}, status=503)

    waits: list[float] = []
    async with _serve(handler, waits) as transport:
        with pytest.raises(Unavailable, match="later"):
            await transport.json(method, "/x", body={})  # type: ignore[arg-type]
    assert (calls, waits) == ([method], [])


async def test_no_json_and_redirects_are_refused() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/json"})
        return web.Response(text="<html>")

    async with _serve(handler, []) as transport:
        with pytest.raises(Malformed):
            await transport.json("GET", "/html")
        with pytest.raises(Exception, match="302"):
            await transport.json("GET", "/moved")


async def test_nobody_listens() -> None:
    configuration = Configuration()
    configuration.host = "http://127.0.0.1:1"
    transport = Transport(ApiClient(configuration), timeout_seconds=1.0)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await transport.json("POST", "/x", body={})
    await transport.close()


async def test_requests_take_turns_in_the_order_in_which_they_came() -> None:
    arrived: list[str] = []
    at_once = most = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        arrived.append(request.path)
        await asyncio.sleep(0.001)
        at_once -= 1
        return web.json_response({})

    async with _serve(handler, [], connections=2) as transport:
        paths = [f"/rollouttargets/{n:02}" for n in range(30)]
        await asyncio.gather(*(transport.json("POST", path, body={}) for path in paths))
    assert most == 2
    assert all(abs(arrived.index(path) - n) <= 1 for n, path in enumerate(paths))


@pytest.mark.parametrize("path", ["/namespaces/x/configmaps/slots", "/namespaces/x/rollouts/r"])
async def test_a_ledger_does_not_wait_behind_statuses(path: str) -> None:
    held, arrived = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.path.startswith("/rollouttargets/"):
            arrived.set()
            await held.wait()
        return web.json_response({"path": request.path})

    async with _serve(handler, [], connections=1) as transport:
        statuses = [
            asyncio.create_task(transport.json("PATCH", f"/rollouttargets/{n}", body={}))
            for n in range(3)
        ]
        await arrived.wait()
        ledger = await transport.json("PUT", path, body={})
        held.set()
        await asyncio.gather(*statuses)
    assert ledger == {"path": path}
