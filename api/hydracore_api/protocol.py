"""HTTP connections whose requests must arrive in time: uvicorn itself waits for ever for a head."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""A request line with its headers is at most about so long."""


class TimelyProtocol(HttpToolsProtocol):
    """Closes connections whose next request's head does not arrive in time, or is too long.

    The time runs from the connection's begin, then from the first byte after each answer; what
    arrives of a body after its answer counts as such a byte. Bodies that are waited for have
    their limits in :mod:`hydracore_api.limits`.
    """

    seconds: ClassVar[float]
    _late: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that they leave unfinished is counted and timed."""
        if self._late is None and self.cycle.response_complete:
            self._expect_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._late is not None and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Hand the request to the app."""
        self._head_arrived()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._late = self.loop.call_later(self.seconds, self.transport.close)

    def _head_arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def within(seconds: float) -> type[TimelyProtocol]:
    """Return the protocol that gives each head so many seconds."""
    return type("TimelyProtocol", (TimelyProtocol,), {"seconds": seconds})
