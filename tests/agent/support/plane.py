"""A control plane of its own process: /agent/v1 and nothing else, with faults on demand."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.agent.support.keys import Signer

TOKEN = "hcb_" + "b" * 43


@dataclass
class Faults:
    """What the bundle endpoint does wrong.

    ``drip`` is the pause in seconds after each ``drip_bytes``.
    """

    status: int | None = None
    flood: bool = False
    other_bytes: bool = False
    drip: float = 0.0
    drip_bytes: int = 65536
    ignore_range: bool = False
    cut_after: int | None = None


@dataclass
class Plane:
    """The double and what it saw."""

    signer: Signer
    faults: Faults = field(default_factory=Faults)
    bundles: dict[str, Path] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    heartbeats: list[dict[str, Any]] = field(default_factory=list)
    fetches: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    agent_key: str | None = None
    public_key: str | None = None
    token_alive: bool = True
    port: int = 0
    away: bool = False

    def start(self) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        config = uvicorn.Config(
            self._app(), log_config=None, lifespan="off", timeout_graceful_shutdown=0
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve([sock])), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bundle_url(self, sha256: str) -> str:
        return f"{self.url}/agent/v1/bundles/{sha256}"

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/agent/v1/bootstrap", self._bootstrap, methods=["POST"]),
                Route("/agent/v1/secrets", self._secrets, methods=["POST"]),
                Route("/agent/v1/heartbeat", self._heartbeat, methods=["POST"]),
                Route("/agent/v1/bundles/{sha256}", self._bundle, methods=["GET"]),
            ]
        )

    def _allowed(self, request: Request, *, token: bool = False, key: bool = False) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return (token and self.token_alive and given == TOKEN) or (
            key and self.agent_key is not None and given == self.agent_key
        )

    async def _bootstrap(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        if not self._allowed(request, token=True):
            return JSONResponse({"detail": "unauthorized"}, 401)
        body = await request.json()
        last = max((stage["seq"] for stage in self.stages), default=0)
        accepted = body["seq"] > last
        if accepted:
            self.stages.append(body)
        return JSONResponse({"accepted": accepted, "last_seq": max(last, body["seq"])})

    async def _secrets(self, request: Request) -> Response:
        if not self._allowed(request, token=True):
            return JSONResponse({"detail": "unauthorized"}, 401)
        if self.agent_key is not None:
            return JSONResponse({"detail": "issued already"}, 409)
        self.public_key = (await request.json())["public_key"]
        self.agent_key = "hca_" + secrets.token_urlsafe(24)
        return JSONResponse({"agent_key": self.agent_key})

    async def _heartbeat(self, request: Request) -> Response:
        if not self._allowed(request, key=True):
            return JSONResponse({"detail": "unauthorized"}, 401)
        self.token_alive = False
        self.heartbeats.append(await request.json())
        return JSONResponse(
            {
                "next_seconds": 1,
                "control_plane_keys": self.signer.control_keys(),
                "trusted_bundle_keys": self.signer.bundle_keys(),
            }
        )

    async def _bundle(self, request: Request) -> Response:
        sha256, wanted = request.path_params["sha256"], request.headers.get("range")
        self.fetches.append((sha256, wanted, request.headers.get("authorization")))
        if not self._allowed(request, token=True, key=True):
            return JSONResponse({"detail": "unauthorized"}, 401)
        if self.faults.status is not None:
            return JSONResponse({"detail": "no"}, self.faults.status)
        content = self.bundles[sha256].read_bytes()
        if self.faults.other_bytes:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if self.faults.ignore_range:
            start = 0
        headers = {"ETag": f'"{sha256}"', "Content-Type": "application/octet-stream"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = self._send(content[start:])
        return StreamingResponse(body, 206 if start else 200, headers)

    async def _send(self, content: bytes) -> AsyncIterator[bytes]:
        faults = self.faults
        sent = 0
        for at in range(0, len(content), faults.drip_bytes):
            yield content[at : at + faults.drip_bytes]
            sent += faults.drip_bytes
            if faults.cut_after is not None and sent >= faults.cut_after:
                return
            if faults.drip:
                await asyncio.sleep(faults.drip)
        while faults.flood:
            yield b"\0" * 65536
            await asyncio.sleep(0)
