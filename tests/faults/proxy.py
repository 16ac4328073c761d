"""A reverse proxy between two of our processes that does to their traffic what it is told.

It runs in the test's process. What passes through it is decided by a :class:`Faults` object, which
a test exchanges at any time; the default lets everything pass.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp
import yaml
from aiohttp import web

from hydracore_devcluster.layout import write_private

Lines = asyncio.Queue[tuple[float, bytes] | None]
"""Lines of a watch and when each came; None ends it."""

_HOP = {"connection", "host", "keep-alive", "transfer-encoding", "upgrade", "te", "content-length"}


class CutError(Exception):
    """The connection is to be closed here and now, without another byte."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way."""

    method: str
    path: str
    query: str
    body: bytes
    sender: str
    """Its Authorization header."""

    @property
    def is_watch(self) -> bool:
        return "watch=" in self.query


class Faults:
    """What is done to the traffic; here nothing. Every method may wait, or raise CutError."""

    async def request(self, call: Call) -> None:
        """A request has come and is about to be passed on."""

    async def answer(self, call: Call, status: int) -> None:
        """The other side has answered; nothing of it is passed on yet."""

    async def chunk(self, call: Call, sent: int, data: bytes) -> bytes:
        """Return what is passed on of these bytes of the answer's body, ``sent`` of which went."""
        return data

    async def event(self, call: Call, line: bytes, age: float) -> list[bytes]:
        """Return what is passed on for this line of a watch, which came ``age`` seconds ago."""
        return [line]

    async def told(self, call: Call, data: bytes) -> None:
        """A line of a watch, or a piece of another answer, has been passed on."""


class Held(Faults):
    """Keeps the requests that match until they are released; tells of the first of them."""

    def __init__(self, matches: Callable[[Call], bool]) -> None:
        self._matches = matches
        self.caught = asyncio.Event()
        self.released = asyncio.Event()
        self.answered = asyncio.Event()
        self.status = 0
        self._call: Call | None = None

    async def request(self, call: Call) -> None:
        if not self._matches(call):
            return
        if self._call is None:
            self._call = call
            self.caught.set()
        await self.released.wait()

    async def answer(self, call: Call, status: int) -> None:
        if call is self._call:
            self.status = status
            self.answered.set()


class Proxy:
    """Listens on a port of its own and passes everything on: ``async with Proxy(url) as proxy``."""

    def __init__(self, upstream: str, context: ssl.SSLContext | None = None) -> None:
        self._upstream = upstream.rstrip("/")
        self._context = context
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        """Requests by method, watches as WATCH."""

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._context or False)
        self._client = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.faults = Faults()
        await self._runner.cleanup()
        await self._client.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        sender = request.headers.get("Authorization", "")
        call = Call(request.method, request.path, request.query_string, body, sender)
        self.calls["WATCH" if call.is_watch else call.method] += 1
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        try:
            await self.faults.request(call)
            async with self._client.request(
                call.method,
                self._upstream + request.raw_path,
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as upstream:
                await self.faults.answer(call, upstream.status)
                return await self._pass_on(request, call, upstream)
        except (CutError, aiohttp.ClientError):
            return _cut(request)

    async def _relay(
        self, call: Call, content: aiohttp.StreamReader, response: web.StreamResponse
    ) -> None:
        lines: Lines = asyncio.Queue()
        reader = asyncio.create_task(_stamp(content, lines))
        try:
            while (found := await lines.get()) is not None:
                at, line = found
                for passed in await self.faults.event(call, line, time.monotonic() - at):
                    await response.write(passed)
                    await self.faults.told(call, passed)
            await reader
        finally:
            reader.cancel()

    async def _pass_on(
        self, request: web.BaseRequest, call: Call, upstream: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        kept = {k: v for k, v in upstream.headers.items() if k.lower() not in _HOP}
        response = web.StreamResponse(status=upstream.status, headers=kept)
        if call.method == "HEAD" or upstream.content_length is not None:
            response.content_length = upstream.content_length
        await response.prepare(request)
        try:
            if call.is_watch:
                await self._relay(call, upstream.content, response)
            else:
                sent = 0
                async for data in upstream.content.iter_any():
                    passed = await self.faults.chunk(call, sent, data)
                    await response.write(passed)
                    sent += len(passed)
                    await self.faults.told(call, passed)
        except (CutError, aiohttp.ClientError, ConnectionError):
            return _cut(request, response)
        await response.write_eof()
        return response


async def _stamp(content: aiohttp.StreamReader, into: Lines) -> None:
    """Read on while earlier lines are held back, so that each is as old as it is."""
    try:
        async for line in _lines(content):
            into.put_nowait((time.monotonic(), line))
    except aiohttp.ClientError:
        into.put_nowait(None)
        raise
    into.put_nowait(None)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield whole lines; an event may be larger than any buffer of the library."""
    rest = bytearray()
    async for data in content.iter_any():
        rest += data
        *whole, last = bytes(rest).split(b"\n")
        rest = bytearray(last)
        for line in whole:
            yield line + b"\n"


def _cut(
    request: web.BaseRequest, response: web.StreamResponse | None = None
) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response or web.Response(status=500)


@contextlib.asynccontextmanager
async def before_cluster(kubeconfig: Path, folder: Path) -> AsyncIterator[tuple[Proxy, Path]]:
    """Stand in front of the API server of a kubeconfig.

    The proxy ends TLS (it trusts the cluster's authority) and is spoken to without.

    Yields:
        The proxy, and a kubeconfig for whoever shall go through it.
    """
    config = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
    (entry,) = config["clusters"]
    authority = entry["cluster"].pop("certificate-authority-data")
    context = ssl.create_default_context(cadata=_decoded(authority))
    async with Proxy(entry["cluster"]["server"], context) as proxy:
        entry["cluster"]["server"] = proxy.url
        path = folder / f"{kubeconfig.stem}-proxied.yaml"
        write_private(path, yaml.safe_dump(config).encode())
        yield proxy, path


def _decoded(authority: str) -> str:
    return base64.b64decode(authority).decode()
