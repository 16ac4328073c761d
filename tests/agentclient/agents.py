"""An honest agent and several hostile ones, as plain servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hydracore_agentclient import AgentEndpoint

Talk = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


def raw_public(key: Ed25519PrivateKey) -> str:
    """Return the raw public key, base64."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode()


@dataclass
class Request:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> dict[str, Any]:
        """The bearer token's header and claims, unverified."""
        token = self.headers["authorization"].removeprefix("Bearer ")
        return {
            "header": jwt.get_unverified_header(token),
            "claims": jwt.decode(token, options={"verify_signature": False}),
            "raw": token,
        }


@dataclass
class Identity:
    """An agent's identity and how it proves answers."""

    instance_id: str = field(default_factory=lambda: str(uuid4()))
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def endpoint(self, url: str) -> AgentEndpoint:
        """Return the endpoint as the control plane knows it."""
        return AgentEndpoint(url, self.instance_id, raw_public(self.key))

    def proof(self, request: Request, body: bytes, **claims: Any) -> str:
        """Sign a proof; ``claims`` replace parts of it."""
        content = {
            "iss": self.instance_id,
            "nonce": request.token["claims"]["jti"],
            "sha256": hashlib.sha256(body).hexdigest(),
            "iat": int(time.time()),
            **claims,
        }
        return jwt.encode(content, self.key, algorithm="EdDSA", headers={"typ": "hc-proof+jwt"})

    def answer(self, request: Request, body: Any, *, status: int = 200, **claims: Any) -> bytes:
        """Return a whole proved HTTP answer."""
        data = json.dumps(body).encode()
        proof = self.proof(request, data, **claims)
        return http(data, status=status, headers={"X-Hydracore-Proof": proof})

    def status(self, **changes: Any) -> dict[str, Any]:
        """Return a valid status body."""
        return {
            "instanceId": self.instance_id,
            "healthy": True,
            "healthStatus": "healthy",
            "version": "1.0.0",
            **changes,
        }


def http(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> bytes:
    """Return an HTTP/1.1 answer with a JSON content type and the connection kept."""
    lines = [
        f"HTTP/1.1 {status} X",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{k}: {v}" for k, v in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[str]:
    """Serve ``talk`` on a free port and yield the URL."""

    talks: set[asyncio.Task[Any] | None] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        try:
            while (request := await _read(reader)) is not None:
                await talk(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for task in talks:
            if task is not None:
                task.cancel()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)
