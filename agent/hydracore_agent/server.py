"""Serving HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST_CONNECTIONS = 128
KEEP_ALIVE_SECONDS = 30
IDLE_SECONDS = 15.0
GRACE_SECONDS = 2


class _Impatient(H11Protocol):
    """Closes connections on which no request was completed for a while.

    uvicorn itself waits for ever for a request that drips in, so that idle callers could take up
    all connections.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._served: RequestResponseCycle | None = None
        self._watch = self.loop.call_later(IDLE_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is self._served:
            self.transport.close()
            return
        self._served = self.cycle
        self._watch = self.loop.call_later(IDLE_SECONDS, self._look)


class Server(uvicorn.Server):
    """uvicorn, with a word when it serves and one when it is about to stop."""

    def __init__(self, app: Any, started: Callable[[], None], stopping: Callable[[], None]) -> None:
        """Take what is served and who is told.

        Args:
            app: An ASGI app.
            started: Called once connections are accepted.
            stopping: Called before the answers under way are waited for.
        """
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=_Impatient,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._started = started
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End serving, on a signal or after :meth:`leave`."""
        self._stopping()
        await super().shutdown(sockets)

    def leave(self) -> None:
        """End :meth:`serve` after the answers under way."""
        self.should_exit = True

    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self.server_state.connections)
