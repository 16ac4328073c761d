"""A streamed response that ends when the client leaves, stops reading, or the source fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SEND_SECONDS = 60.0
"""A client that takes nothing for so long is taken for gone."""

log = structlog.get_logger(__name__)


class BoundedStream(Response):
    """Sends pieces as they come; the source is closed in every case.

    Unlike Starlette's own, each piece must be taken within a deadline, and the source is
    cancelled while it waits when the client disconnects.
    """

    def __init__(
        self,
        pieces: AsyncIterable[bytes],
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        super().__init__(None, status_code, headers, media_type)
        self._pieces = pieces
        self._send_seconds = send_seconds
        length = dict(headers or {}).get("Content-Length")
        if length is None:
            del self.headers["content-length"]
        else:
            self.headers["content-length"] = length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all pieces, or stop when the client is gone.

        A body that is not finished makes the server close the connection.
        """
        del scope
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_until_disconnect(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send_all(self, send: Send) -> None:
        async def put(message: dict[str, object]) -> None:
            async with asyncio.timeout(self._send_seconds):
                await send(message)

        start = {"status": self.status_code, "headers": self.raw_headers}
        try:
            try:
                await put({"type": "http.response.start", **start})
                async for piece in self._pieces:
                    await put({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                await _close(self._pieces)
            await put({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            log.info("stream_client_too_slow", seconds=self._send_seconds)
        except OSError as fault:
            log.info("stream_client_gone", fault=type(fault).__name__)
        except Exception:  # the status is sent: an unfinished body is the answer
            log.warning("stream_source_failed", exc_info=True)


async def _close(pieces: AsyncIterable[bytes]) -> None:
    close: Callable[[], Awaitable[None]] | None = getattr(pieces, "aclose", None)
    if close is not None:
        await close()


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
