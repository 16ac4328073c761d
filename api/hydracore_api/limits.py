"""How large a request may be, and how long it may take to arrive."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hydracore_api.errors import answer


class ReceiveLimits:
    """ASGI middleware: a body that is too large is 413, one that drips in too slowly is 408.

    The limits hold for what is really received, whatever ``Content-Length`` says.
    """

    def __init__(self, app: ASGIApp, *, seconds: float, max_bytes: int) -> None:
        self.app = app
        self._seconds = seconds
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with a bounded ``receive``."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:19]) > self._max_bytes:
            refusal = answer(413, self._too_large(), {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        deadline = asyncio.get_running_loop().time() + self._seconds
        await self.app(scope, self._bounded(receive, deadline), send)

    def _bounded(self, receive: Receive, deadline: float) -> Receive:
        complete = False
        size = 0

        async def bounded() -> Message:
            nonlocal complete, size
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408,
                    f"The request took longer than {self._seconds:g} seconds to arrive",
                    {"Connection": "close"},
                ) from None
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                raise HTTPException(413, self._too_large(), {"Connection": "close"})
            complete = not message.get("more_body", False)
            return message

        return bounded

    def _too_large(self) -> str:
        return f"The body is larger than {self._max_bytes} bytes"
