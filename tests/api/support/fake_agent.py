"""An agent on loopback: proves who it is, answers status, streams chats as it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass
class FakeAgent:
    instance_id: str
    url: str = ""
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    chats: list[dict[str, Any]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    chat_status: int = 200
    flood: bool = False
    examined: int = 0
    conversations: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    claims_id: str | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def public_key(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    async def status(self, request: web.Request) -> web.Response:
        body = json.dumps(
            {
                "instanceId": self.instance_id,
                "version": "1.0.7",
                "healthy": True,
                "healthStatus": "degraded",
                "uptimeSeconds": 12.5,
                "activeConnections": 3,
                "skillsLoaded": ["echo"],
                "capabilities": {"chat": True},
            }
        ).encode()
        return self._proved(request, body)

    async def deep(self, request: web.Request) -> web.Response:
        self.examined += 1
        report = {
            "status": "degraded",
            "checkedAt": "2030-05-01T12:00:00.500Z",
            "uptimeSeconds": 12.5,
            "subsystems": {
                "disk": {"status": "degraded", "message": "nearly full", "latencyMs": 1.25},
                "process": {"status": "healthy"},
            },
        }
        return self._proved(request, json.dumps(report).encode())

    async def list(self, request: web.Request) -> web.Response:
        limit = int(request.query["limit"])
        found = [
            {
                "id": id_,
                "messages": len(said),
                "firstAt": said[0]["at"],
                "lastAt": said[-1]["at"],
            }
            for id_, said in self.conversations.items()
        ]
        return self._proved(request, json.dumps({"conversations": found[:limit]}).encode())

    async def show(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        said = self.conversations.get(id_)
        if said is None:
            refusal = {"code": "unknown_conversation", "message": "SECRET detail of the agent"}
            return self._proved(request, json.dumps(refusal).encode(), status=404)
        body = {"id": self.claims_id or id_, "messages": said, "truncated": False}
        return self._proved(request, json.dumps(body).encode())

    async def memory(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.query_string, await request.text()))
        item = {
            "id": "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11",
            "kind": "fact",
            "content": "likes tea",
            "customerId": "ada",
            "createdAt": "2030-05-01T12:00:00.500Z",
        }
        found: dict[str, Any] = {"GET": {"items": [item], "stored": 7}, "POST": item}.get(
            request.method, {"removed": 3}
        )
        return self._proved(request, json.dumps(found).encode())

    def _proved(self, request: web.Request, body: bytes, *, status: int = 200) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        nonce = jwt.decode(token, options={"verify_signature": False})["jti"]
        claims = {
            "iss": self.instance_id,
            "nonce": nonce,
            "sha256": hashlib.sha256(body).hexdigest(),
            "iat": 1,
        }
        proof = jwt.encode(claims, self.key, algorithm="EdDSA", headers={"typ": "hc-proof+jwt"})
        return web.Response(
            status=status,
            body=body,
            content_type="application/json",
            headers={"X-Hydracore-Proof": proof},
        )

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.chats.append(body)
        if self.chat_status != 200:
            refusal = {"code": "busy", "message": "SECRET detail of the agent"}
            return web.json_response(refusal, status=self.chat_status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            conversation = json.dumps({"conversation_id": body["conversationId"]})
            await response.write(f"event: conversation\ndata: {conversation}\n\n".encode())
            self.began.set()
            while self.flood:
                await response.write(b"event: token\ndata: {}\n\n" * 4000)
            await self.answers.wait()
            await response.write(b'event: token\ndata: {"text": "hello"}\n\n')
            await response.write(b'event: done\ndata: {"offline": true}\n\n')
        finally:
            self.ended.set()
        return response


@asynccontextmanager
async def running(agent: FakeAgent) -> AsyncIterator[FakeAgent]:
    app = web.Application()
    app.router.add_get("/api/status", agent.status)
    app.router.add_get("/api/health/deep", agent.deep)
    app.router.add_post("/api/chat", agent.chat)
    app.router.add_route("*", "/api/memory", agent.memory)
    app.router.add_get("/api/conversations", agent.list)
    app.router.add_get("/api/conversations/{id}", agent.show)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    agent.url = f"http://127.0.0.1:{port}"
    try:
        yield agent
    finally:
        agent.answers.set()
        agent.flood = False
        await runner.cleanup()
