"""Simulated agents that answer at the addresses of real local servers, and enrol as real ones do.

The machine of such a server is real and runs a process that does nothing.
"""

from __future__ import annotations

import secrets
import socket
import sys
from datetime import UTC, datetime
from typing import Self

from aiohttp import web

from hydracore_agentclient import ControlPlaneKey
from hydracore_crds import Bundle
from hydracore_history import History
from hydracore_operator.providers.local.record import ServerRecord
from tests.simulation.agents import AgentFleet

COMMAND = (sys.executable, "-I", "-S", "-c", "import signal; signal.pause()")
"""What the machine of a server runs whose agent is simulated."""


class StandIn(AgentFleet):
    """The agent of one server; ``async with StandIn(...)`` from when the server is there."""

    def __init__(self, key: ControlPlaneKey, server: ServerRecord, instance_id: str) -> None:
        super().__init__(key)
        self._server = server
        self._agent = self.add(instance_id)
        self._by_address = {server.host: self._agent}

    async def __aenter__(self) -> Self:
        listener = socket.create_server((self._server.host, self._server.port))
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        return self

    async def enrol(self, history: History, bundle: Bundle) -> bool:
        """Fetch the key, as the API would give it, and run the bundle; False if it is too early."""
        agent, now = self._agent, datetime.now(UTC)
        agent.digest, agent.version = bundle.spec.artifact.sha256, bundle.spec.version
        await history.stages.record(
            agent.instance_id,
            stage="bundle_installed",
            seq=1,
            level="info",
            message="installed",
            at=now,
        )
        return await history.credentials.issue_key(
            agent.instance_id, key_hash=secrets.token_hex(32), public_key=agent.public_key, at=now
        )
