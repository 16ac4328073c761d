"""The one place that builds the agent and runs it."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydracore_agent.actions.deeds import all_deeds
from hydracore_agent.actions.endpoints import ActionEndpoints
from hydracore_agent.actions.memory import ActionMemory
from hydracore_agent.actions.runner import ActionRunner
from hydracore_agent.agentkey import AgentKey
from hydracore_agent.app import Surface, build_app
from hydracore_agent.auth import ControlAuth
from hydracore_agent.backoff import Backoff
from hydracore_agent.bootstrap.stages import Stages
from hydracore_agent.chat.breaker import Breakers
from hydracore_agent.chat.chain import Chain
from hydracore_agent.chat.conversations import Conversations
from hydracore_agent.chat.endpoint import ChatEndpoint
from hydracore_agent.chat.model import OfflineModel
from hydracore_agent.chat.reading import ReadingEndpoints
from hydracore_agent.chat.remote import RemoteModel
from hydracore_agent.clock import utc_now
from hydracore_agent.controlplane import ControlPlane
from hydracore_agent.health.checks import check_disk, check_orders, check_process
from hydracore_agent.health.integrity import ReleaseIntegrity
from hydracore_agent.health.lag import LagMeter
from hydracore_agent.health.monitor import HealthMonitor, Subsystem
from hydracore_agent.heartbeat import Enrolment, Heartbeat
from hydracore_agent.http import Frame
from hydracore_agent.identity import Identity
from hydracore_agent.layout import Layout
from hydracore_agent.memory.endpoints import MemoryEndpoints
from hydracore_agent.memory.store import MemoryStore, MemoryStoreError, Which
from hydracore_agent.net import connect
from hydracore_agent.orders.download import Downloader
from hydracore_agent.orders.endpoints import OrderEndpoints
from hydracore_agent.orders.longpoll import LongPolls
from hydracore_agent.orders.manifest import Host
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.runner import OrderRunner, Surroundings
from hydracore_agent.orders.steps import Installer
from hydracore_agent.plugins import Plugin
from hydracore_agent.polls import PollAuth
from hydracore_agent.running import RunningRelease
from hydracore_agent.server import Server
from hydracore_agent.settings import Settings, load_settings
from hydracore_agent.status import StatusReporter
from hydracore_agent.trust import TrustStore
from hydracore_agent.updates.config import ConfigStore

log = logging.getLogger(__name__)

REMEMBERED = 20
"""So many of the newest items go into the system prompt."""


@dataclass(frozen=True, slots=True)
class Start:
    """What was read before anything is built."""

    layout: Layout
    settings: Settings
    release: RunningRelease
    plugins: Sequence[Plugin]


class Agent:
    """All parts, wired."""

    def __init__(self, start: Start) -> None:
        """Build the parts.

        Raises:
            AgentError: state on disk is damaged.
            OSError: state cannot be read or written.
        """
        layout, settings = start.layout, start.settings
        self._start = start
        self._client = partial(connect, stall_seconds=settings.tuning.stall)
        self._started = asyncio.Event()
        self._identity = Identity.load(layout.identity)
        self._trust = TrustStore.load(layout.trust, settings)
        self._memory = OrderMemory(layout.orders, layout.ledger, utc_now)
        self._memory.read()
        self._long_polls = LongPolls(self._memory)
        self._control_plane = ControlPlane(settings.api_url, settings.instance_id, self._client)
        self._key = AgentKey(layout.agent_key)
        self._lag = LagMeter(time.monotonic)
        self._config = ConfigStore.load(layout.config, settings.config)
        self._breakers = Breakers([one.name for one in settings.llm], time.monotonic)
        self._remembered = MemoryStore(layout.memory, utc_now)
        self._offline = self._build_offline()
        self._heartbeat = self._build_heartbeat()
        self._health = HealthMonitor(self._subsystems(), utc_now)
        self._runner = self._build_runner()
        self._status = self._build_status()
        self._actions = self._build_actions()
        self._server = Server(build_app(self._surface()), self._started.set, self._long_polls.close)

    async def serve(self, sock: socket.socket) -> None:
        """Serve until told to leave."""
        await self._runner.prepare()
        await asyncio.to_thread(self._actions.recover)
        self._runner.resume()
        background = [
            asyncio.create_task(self._lag.run(), name="lag"),
            asyncio.create_task(self._after_start(), name="background"),
        ]
        try:
            await self._server.serve([sock])
        finally:
            for task in background:
                task.cancel()
            await asyncio.wait(background)
            await self._actions.close()
            await self._runner.close()
            await self._control_plane.close()

    async def _after_start(self) -> None:
        await self._started.wait()
        manifest = self._start.release.manifest
        log.info("%s %s serves", manifest.slug, manifest.version)
        await self._heartbeat.run()

    def _leave(self) -> None:
        self._server.leave()

    def _connections(self) -> int:
        return self._server.connections()

    def _build_heartbeat(self) -> Heartbeat:
        layout, settings = self._start.layout, self._start.settings
        stages = Stages(layout.boot, self._control_plane, settings.bootstrap_token)
        reload = partial(load_settings, layout.user_data)
        return Heartbeat(
            self._control_plane,
            Enrolment(self._key, self._identity, stages, reload),
            self._trust,
            self._heartbeat_body,
            interval=settings.heartbeat_seconds,
            backoff=Backoff(settings.tuning.retry_first, settings.tuning.retry_most, random.random),
            clock=time.monotonic,
        )

    def _heartbeat_body(self) -> Mapping[str, Any]:
        manifest = self._start.release.manifest
        runtime = {
            "slug": manifest.slug,
            "version": manifest.version,
            "sha256": self._start.release.sha256,
        }
        return {
            "uptime_seconds": self._health.uptime(),
            "health_status": self._health.status(),
            "versions": {"runtime": runtime, "skills": [], "mcp_servers": []},
        }

    def _subsystems(self) -> dict[str, Subsystem]:
        root = self._start.layout.root
        integrity = ReleaseIntegrity(self._start.release.folder, time.monotonic)
        return {
            "disk": Subsystem(
                lambda: check_disk(self._start.layout.state, probe=True),
                lambda: check_disk(root, probe=False),
            ),
            "process": _same(check_process),
            "event_loop": _same(self._lag.check),
            "control_plane": _same(self._heartbeat.check),
            "release": Subsystem(integrity.check, integrity.last),
            "orders": _same(lambda: check_orders(self._memory)),
            "chat_model": _same(self._offline.check),
            "model_providers": _same(self._breakers.check),
        }

    def _build_offline(self) -> OfflineModel:
        skills = [skill for plugin in self._start.plugins for skill in plugin.skills]
        configured = bool(self._start.settings.llm)
        return OfflineModel(lambda: self._config.current, skills, configured=configured)

    def _build_chain(self) -> Chain:
        def system() -> str:
            config = self._config.current
            serves = f", the assistant of {config.user_display_name}"
            return (
                f"You are {config.agent_name}{serves if config.user_display_name else ''}."
                f"{_remembered(self._remembered)}"
            )

        remotes = [
            RemoteModel(one, system, partial(self._client, one.base_url))
            for one in self._start.settings.llm
        ]
        return Chain(remotes, self._offline, self._breakers)

    def _build_actions(self) -> ActionRunner:
        layout = self._start.layout
        return ActionRunner(
            ActionMemory(layout.actions, layout.actions_ledger, utc_now),
            self._memory,
            all_deeds(self._health, self._config, self._breakers),
            leave=self._leave,
            on_trial=self._status.on_trial,
            now=utc_now,
        )

    def _build_runner(self) -> OrderRunner:
        settings = self._start.settings
        installer = Installer(
            Downloader(self._client, settings.tuning),
            lambda: self._trust.bundles,
            Host.here(),
            self._start.release.folder,
        )
        around = Surroundings(
            running_hash=self._start.release.sha256,
            api_url=settings.api_url,
            agent_key=self._key.get,
            changed=self._long_polls.stir,
            leave=self._leave,
        )
        return OrderRunner(self._start.layout, self._memory, installer, around, utc_now)

    def _build_status(self) -> StatusReporter:
        return StatusReporter(
            instance_id=self._start.settings.instance_id,
            release=self._start.release,
            releases=Releases(self._start.layout),
            plugins=self._start.plugins,
            health=self._health,
            memory=self._memory,
            runner=self._runner,
            connections=self._connections,
        )

    def _surface(self) -> Surface:
        instance_id = self._start.settings.instance_id
        polls = PollAuth(instance_id, self._identity.private_key, self._trust, utc_now)
        auth = ControlAuth(instance_id, self._trust, utc_now, polls)
        conversations = Conversations(self._start.layout.conversations)
        return Surface(
            frame=Frame(auth, self._identity, instance_id, utc_now, polls),
            health=self._health,
            status=self._status,
            long_polls=self._long_polls,
            orders=OrderEndpoints(self._runner, self._memory, self._trust, instance_id, utc_now),
            actions=ActionEndpoints(self._actions),
            chat=ChatEndpoint(self._build_chain(), conversations, utc_now),
            reading=ReadingEndpoints(conversations),
            memory=MemoryEndpoints(self._remembered),
        )


def _remembered(store: MemoryStore) -> str:
    """Return the part of the system prompt that says what is remembered in no one conversation."""
    try:
        found = [one for one in store.find(Which(), REMEMBERED) if not one.conversation_id]
    except MemoryStoreError as error:
        log.warning("%s", error)
        return ""
    return "".join(f"\nRemember ({one.kind}): {one.content}" for one in reversed(found))


def _same(check: Callable[[], Any]) -> Subsystem:
    return Subsystem(check, check)
