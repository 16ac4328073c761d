"""The HTTP surface with real parts and a fake clock, without processes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import jwt

from hydracore_agent.actions.deeds import all_deeds
from hydracore_agent.actions.endpoints import ActionEndpoints
from hydracore_agent.actions.memory import ActionMemory
from hydracore_agent.actions.runner import ActionRunner
from hydracore_agent.app import Surface, build_app
from hydracore_agent.auth import ControlAuth
from hydracore_agent.chat.breaker import Breakers
from hydracore_agent.chat.chain import Chain
from hydracore_agent.chat.conversations import Conversations
from hydracore_agent.chat.endpoint import ChatEndpoint
from hydracore_agent.chat.model import OfflineModel
from hydracore_agent.chat.reading import ReadingEndpoints
from hydracore_agent.health.monitor import HealthMonitor, Subsystem
from hydracore_agent.health.result import HEALTHY, CheckResult
from hydracore_agent.http import Frame
from hydracore_agent.identity import Identity
from hydracore_agent.keys import public_key
from hydracore_agent.memory.endpoints import MemoryEndpoints
from hydracore_agent.memory.store import MemoryStore
from hydracore_agent.orders.download import Downloader
from hydracore_agent.orders.endpoints import OrderEndpoints
from hydracore_agent.orders.longpoll import LongPolls
from hydracore_agent.orders.manifest import Host
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.runner import OrderRunner, Surroundings
from hydracore_agent.orders.steps import Installer
from hydracore_agent.plugins import Plugin, Skill
from hydracore_agent.polls import PollAuth
from hydracore_agent.running import RunningRelease
from hydracore_agent.settings import Tuning
from hydracore_agent.status import StatusReporter
from hydracore_agent.trust import TrustStore
from hydracore_agent.updates.config import ConfigStore
from tests.agent.support.keys import INSTANCE
from tests.agent.support.world import NEW, OLD, World

SHOUT = Skill("shout", "shouts", lambda m: m.startswith("shout:"), lambda m: m[6:].strip().upper())
BOOM = Skill("boom", "fails", lambda m: m == "boom", lambda m: str(1 // 0))


def unreachable(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


class Bench:
    """An application and a caller."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.left = 0
        self.has_left = asyncio.Event()
        self.check = CheckResult(HEALTHY, "fine")
        world.install(world.layout.release(OLD), "old")
        Releases(world.layout).set_current(OLD, None, None)
        self.identity = Identity.load(world.layout.identity)
        self.trust = TrustStore.load(world.layout.trust, world.settings())
        self.health = HealthMonitor({"part": self._subsystem()}, world.clock)
        self.config = ConfigStore.load(world.layout.config, world.settings().config)
        self.breakers = Breakers(["one", "two"], world.clock.monotonic)
        self.long_polls = LongPolls(world.memory)
        self.runner = self._runner()
        self.status = self._status()
        self.actions = self.next_actions()
        self.chat = ChatEndpoint(
            Chain([], OfflineModel(lambda: self.config.current, [SHOUT, BOOM]), self.breakers),
            Conversations(world.layout.conversations),
            world.clock,
        )
        self.app = build_app(self._surface())

    def _subsystem(self) -> Subsystem:
        return Subsystem(lambda: self.check, lambda: self.check)

    def _runner(self) -> OrderRunner:
        def connect(_url: str) -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=httpx.MockTransport(unreachable))

        installer = Installer(
            Downloader(connect, Tuning()), lambda: self.trust.bundles, Host.here()
        )
        around = Surroundings(
            OLD, "http://127.0.0.1:9", lambda: "hca_k", self.long_polls.stir, self.leave
        )
        world = self.world
        return OrderRunner(world.layout, world.memory, installer, around, world.clock)

    def next_actions(self) -> ActionRunner:
        """Return the runner of a new process on the same folder."""
        layout, clock = self.world.layout, self.world.clock
        return ActionRunner(
            ActionMemory(layout.actions, layout.actions_ledger, clock),
            self.world.memory,
            all_deeds(self.health, self.config, self.breakers),
            leave=self.leave,
            on_trial=self.status.on_trial,
            now=clock,
        )

    def _status(self) -> StatusReporter:
        world = self.world
        return StatusReporter(
            instance_id=INSTANCE,
            release=RunningRelease.load(world.layout, OLD),
            releases=Releases(world.layout),
            plugins=[Plugin("shout", (SHOUT,)), Plugin("silent", ())],
            health=self.health,
            memory=world.memory,
            runner=self.runner,
            connections=lambda: 3,
        )

    def _surface(self) -> Surface:
        world = self.world
        polls = PollAuth(INSTANCE, self.identity.private_key, self.trust, world.clock)
        auth = ControlAuth(INSTANCE, self.trust, world.clock, polls)
        return Surface(
            frame=Frame(auth, self.identity, INSTANCE, world.clock, polls),
            health=self.health,
            status=self.status,
            long_polls=self.long_polls,
            orders=OrderEndpoints(self.runner, world.memory, self.trust, INSTANCE, world.clock),
            actions=ActionEndpoints(self.actions),
            chat=self.chat,
            memory=MemoryEndpoints(MemoryStore(self.world.layout.memory, self.world.clock)),
            reading=ReadingEndpoints(Conversations(self.world.layout.conversations)),
        )

    def leave(self) -> None:
        self.left += 1
        self.has_left.set()

    def token(self, **changes: Any) -> str:
        return self.world.signer.token(self.world.clock.monotonic(), **changes)

    def order(self, **changes: Any) -> str:
        now = int(self.world.clock.monotonic())
        claims = self.world.signer.order_claims(
            NEW, 10, f"http://127.0.0.1:9/agent/v1/bundles/{NEW}", iat=now, exp=now + 60
        )
        return self.world.signer.order(claims | changes)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: Any = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        headers = headers or {"Authorization": f"Bearer {token or self.token()}"}
        content = (
            raw if raw is not None else json.dumps(body).encode() if body is not None else None
        )
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            return await client.request(method, path, content=content, headers=headers)

    def proof(self, answer: httpx.Response) -> dict[str, Any]:
        """Return the claims of the answer's proof; fail if it is not for these bytes."""
        claims = jwt.decode(
            answer.headers["X-Hydracore-Proof"],
            public_key(self.identity.public_key),
            algorithms=["EdDSA"],
            issuer=INSTANCE,
            options={"verify_iat": False},
        )
        assert claims["sha256"] == hashlib.sha256(answer.content).hexdigest()
        return claims


def folder_of(bench: Bench) -> Path:
    return bench.world.layout.root
