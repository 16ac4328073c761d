"""A small HTTP server for probes: is the process alive, does it know the cluster, does it lead."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import web


class StatusServer:
    """Serves ``/healthz``, ``/readyz`` and ``/status`` as JSON; knows nothing secret."""

    def __init__(
        self, address: str, *, ready: Callable[[], bool], status: Callable[[], dict[str, Any]]
    ) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._ready = ready
        self._status = status
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; return the port.

        Raises:
            OSError: The address cannot be listened on.
        """
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/status", self._full)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        addresses = self._runner.addresses
        return int(addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            with suppress(OSError):
                await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _json({"ok": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready = self._ready()
        return _json({"ready": ready}, status=200 if ready else 503)

    async def _full(self, _request: web.Request) -> web.Response:
        return _json(self._status())


def _json(body: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
