"""A fleet of simulated agents behind one HTTP server, with real proofs and switchable faults.

Every agent has an address of its own in 127.0.0.0/8 at one port, so that thousands fit into one
process. Requests must carry the control plane's token, as with the real agent.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hydracore_agent.http import Refusal
from hydracore_agent.orders.longpoll import read_wait
from hydracore_agentclient import AgentEndpoint, ControlPlaneKey
from hydracore_agentclient.pollkeys import (
    SCHEME,
    VERSION,
    PollKeys,
    agree,
    answer_mark,
    request_mark,
)
from tests.simulation.agent import CutError, RefusedError, SimAgent
from tests.simulation.oracle import Oracle

FIRST_ADDRESS = 1 << 16
_BACKLOG = 4096
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AgentFleet:
    """Agents and the server that answers for them: ``async with AgentFleet(key) as fleet``."""

    def __init__(
        self,
        control_plane: ControlPlaneKey | str,
        *,
        now: Callable[[], datetime] = _utc_now,
        verify: bool = True,
        other: Handler | None = None,
    ) -> None:
        """Prepare a fleet without agents.

        Args:
            control_plane: Whose tokens count: the key, or its public half (raw, base64).
            now: The agents' clock.
            verify: Whether the signatures of tokens and orders are checked. Real agents do so on
                servers of their own; where all share a machine that is measured, it may be off.
            other: Answers requests that come in at an address which is no agent's.
        """
        self.oracle = Oracle()
        self.agents: dict[str, SimAgent] = {}
        self._now = now
        public = (
            control_plane if isinstance(control_plane, str) else control_plane.public_key_base64
        )
        self._trusted = Ed25519PublicKey.from_public_bytes(base64.b64decode(public))
        self._options: Any = {
            "verify_signature": verify,
            "verify_aud": True,
            "verify_iat": False,
            "verify_exp": False,
        }
        self._other = other
        self._stranger = Ed25519PrivateKey.generate()
        self._by_address: dict[str, SimAgent] = {}
        self._addresses: dict[str, str] = {}
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        self.port = 0

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("0.0.0.0", 0), backlog=_BACKLOG)
        self.port = listener.getsockname()[1]
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await asyncio.gather(*(agent.close() for agent in self.agents.values()))
        await self._runner.cleanup()

    def add(self, instance_id: str | None = None, *, push_seconds: float = 0.05) -> SimAgent:
        """Add an agent and return it."""
        agent = SimAgent(
            instance_id or str(uuid4()), self.oracle, self._now, push_seconds=push_seconds
        )
        number = FIRST_ADDRESS + len(self.agents) + 1
        address = f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self.agents[agent.instance_id] = agent
        self._by_address[address] = agent
        self._addresses[agent.instance_id] = address
        return agent

    def url(self, agent: SimAgent) -> str:
        """Return where an agent answers."""
        return f"http://{self._addresses[agent.instance_id]}:{self.port}"

    def endpoint(self, agent: SimAgent) -> AgentEndpoint:
        """Return how a client addresses an agent."""
        return AgentEndpoint(self.url(agent), agent.instance_id, agent.public_key)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        agent = self._by_address.get(request.transport.get_extra_info("sockname")[0])
        if agent is None:
            return await self._other(request) if self._other else web.Response(status=404)
        self.oracle.asked += 1
        try:
            return await self._respond(agent, request)
        except CutError:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)

    async def _respond(self, agent: SimAgent, request: web.BaseRequest) -> web.Response:
        faults = agent.faults
        if faults.slow_seconds:
            await asyncio.sleep(faults.slow_seconds)
        if faults.silent or agent.away:
            raise CutError
        try:
            nonce, polled = self._authorize(request, agent)
        except (jwt.PyJWTError, ValueError) as error:
            return web.json_response({"code": "unauthorized", "message": str(error)}, status=401)
        body = await request.read()
        try:
            await self._wait(agent, request)
            status, answer = self._answer(agent, request, body)
        except RefusedError as refusal:
            status, answer = refusal.status, {"code": refusal.code, "message": refusal.message}
        accepted = request.method == "POST" and request.path == "/api/orders" and status == 202
        if accepted and faults.lose_replies > 0:
            faults.lose_replies -= 1
            raise CutError
        if faults.garbage:
            answer = {"surprise": "\u2603", "state": ["?"]}
        if polled is not None:
            return self._marked(agent, request, status, answer, nonce, polled)
        return self._proved(agent, status, answer, nonce)

    async def _wait(self, agent: SimAgent, request: web.BaseRequest) -> None:
        """Keep a question waiting that asks for it, by the rules of the real agent."""
        if request.path != "/api/status" or not agent.waits:
            return
        try:
            wait = read_wait(request.query)
        except Refusal as refusal:
            raise RefusedError(refusal.status, refusal.code, refusal.message) from refusal
        if wait is not None:
            await agent.until(wait.task_id, wait.seconds)

    def _answer(
        self, agent: SimAgent, request: web.BaseRequest, body: bytes
    ) -> tuple[int, dict[str, Any]]:
        method, parts = request.method, request.path.strip("/").split("/")
        match (method, *parts):
            case ("GET", "api", "status"):
                return 200, agent.status()
            case ("GET", "api", "health", "deep"):
                return 200, agent.deep()
            case ("POST", "api", "orders"):
                status, task = agent.take_order(self._order(agent, body))
                return status, agent.report(task)
            case ("GET", "api", "orders", task_id):
                return 200, agent.report(agent.task(task_id))
            case ("POST", "api", "orders", task_id, "abort"):
                return 200, agent.report(agent.take_abort(task_id, json.loads(body)["epoch"]))
        raise RefusedError(404, "not_found", "no such path")

    def _authorize(self, request: web.BaseRequest, agent: SimAgent) -> tuple[str, PollKeys | None]:
        """Return the nonce, and for a marked poll its keys."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != SCHEME or not agent.takes_polls:
            return str(self._claims(agent, token)["jti"]), None
        if request.path != "/api/status":
            raise ValueError("a poll may read the status only")
        keys = agent.poll_keys(self._trusted)
        _, kid, subject, issued, nonce, mark = token.split(".")
        due = request_mark(keys.request, agent.instance_id, kid, subject, int(issued), nonce)
        if mark != due:
            raise ValueError("the poll's mark is wrong")
        return nonce, keys

    def _order(self, agent: SimAgent, body: bytes) -> dict[str, Any]:
        try:
            return self._claims(agent, json.loads(body)["order"])
        except (jwt.PyJWTError, KeyError, ValueError) as error:
            raise RefusedError(400, "invalid_order", str(error)) from error

    def _claims(self, agent: SimAgent, token: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            self._trusted,
            algorithms=["EdDSA"],
            audience=agent.instance_id,
            options=self._options,
        )

    def _marked(
        self,
        agent: SimAgent,
        request: web.BaseRequest,
        status: int,
        answer: dict[str, Any],
        nonce: str,
        keys: PollKeys,
    ) -> web.Response:
        data = orjson.dumps(answer)
        tag = hashlib.blake2b(data, digest_size=16).hexdigest()
        if request.headers.get("If-None-Match") == f'W/"{tag}"':
            status, data = 304, b""
            self.oracle.not_modified += 1
        if agent.faults.wrong_identity:
            keys = agree(self._stranger, self._trusted, agent.instance_id)
        mark = answer_mark(keys.answer, agent.instance_id, nonce, status, tag, data)
        response = _json(data, status, f"{VERSION}.{mark}")
        response.headers["ETag"] = f'W/"{tag}"'
        return response

    def _proved(
        self, agent: SimAgent, status: int, answer: dict[str, Any], nonce: str
    ) -> web.Response:
        data = orjson.dumps(answer)
        claims = {
            "iss": agent.instance_id,
            "nonce": nonce,
            "sha256": hashlib.sha256(data).hexdigest(),
            "iat": int(self._now().timestamp()),
        }
        key = self._stranger if agent.faults.wrong_identity else agent.key
        proof = jwt.encode(claims, key, algorithm="EdDSA", headers={"typ": "hc-proof+jwt"})
        return _json(data, status, proof)


def _json(data: bytes, status: int, proof: str) -> web.Response:
    headers = {"X-Hydracore-Proof": proof}
    return web.Response(body=data, status=status, content_type="application/json", headers=headers)
