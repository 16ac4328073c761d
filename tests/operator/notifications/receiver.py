"""A real HTTP receiver on loopback that behaves as told, and counts what reaches it."""

from __future__ import annotations

import asyncio
import json
import ssl
from types import TracebackType
from typing import Self

HEAD = b"HTTP/1.1 %d Said\r\n%b\r\n"


def status(code: int, *headers: str) -> bytes:
    """Return a whole answer without a body."""
    lines = "".join(f"{line}\r\n" for line in ("Content-Length: 0", *headers))
    return HEAD % (code, lines.encode())


class Receiver:
    """Answers every request with ``answer``; None keeps the caller waiting for ever.

    Attributes:
        got: Headers (lower case) and body of each request, in order of arrival.
        endless: After the answer, go on sending until the caller hangs up.
        arrived: Set by each request.
    """

    def __init__(self, answer: bytes | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer: bytes | None = status(204) if answer is None else answer
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.endless = False
        self.flooded = 0
        self.at_once = self.most_at_once = 0
        self.arrived = asyncio.Event()
        self._tls = tls
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://localhost:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """Return the ``webhook-id`` of each request."""
        return [headers["webhook-id"] for headers, _ in self.got]

    @property
    def types(self) -> list[str]:
        """Return what each request tells."""
        return [json.loads(body)["type"] for _, body in self.got]

    async def say(self, answer: bytes) -> None:
        """Answer those who wait."""
        for writer in self._open:
            writer.write(answer)
            await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._exchange(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.got.append((headers, body))
        self.arrived.set()
        if self.answer is None:
            await reader.read()
            return
        writer.write(self.answer)
        await writer.drain()
        while self.endless:
            writer.write(b"x" * 65536)
            await writer.drain()
            self.flooded += 65536
