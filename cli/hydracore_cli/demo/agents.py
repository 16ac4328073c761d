"""The demo's own look at the agents: past REST and operator, at what they report themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from hydracore_agentclient import (
    AgentClient,
    AgentEndpoint,
    AgentStatus,
    ControlPlaneKey,
)
from hydracore_cli.demo.labels import label_of
from hydracore_cli.demo.ledger import Flight, flights_of, parse_ledger
from hydracore_cli.errors import CliError
from hydracore_cli.stack.layout import StackLayout
from hydracore_crds import Instance
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_operator.providers.local.record import ServerRecord, records


class Agents:
    """Asks agents for their status, with proof of who answers, and reads their ledgers."""

    def __init__(self, layout: StackLayout) -> None:
        """Use the stack's control-plane key and server folders."""
        self._servers = layout.servers
        self._client = AgentClient(
            ControlPlaneKey.from_pem(layout.control_plane_key),
            subject="operator",
            now=lambda: datetime.now(UTC),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def status(self, instance: Instance) -> AgentStatus:
        """Return what the agent says about itself; its signature over the answer was checked.

        Raises:
            CliError: the instance has no agent yet.
            AgentError: it does not answer, or does not prove who it is.
        """
        status = instance.status
        if not (status.agent_url and status.agent_public_key and instance.spec.id):
            raise CliError(f"instance {instance.metadata.name} has no enrolled agent")
        return await self._client.status(
            AgentEndpoint(status.agent_url, instance.spec.id, status.agent_public_key)
        )

    async def statuses(self, instances: Sequence[Instance]) -> dict[str, AgentStatus]:
        """Return the status of each, by what people call the instance."""
        found = await asyncio.gather(*(self.status(instance) for instance in instances))
        return dict(zip(map(label_of, instances), found, strict=True))

    def server(self, instance: Instance) -> tuple[Path, ServerRecord]:
        """Return the folder and record of the instance's server.

        Raises:
            CliError: there is none.
        """
        for folder, record in records(self._servers):
            if record.labels.get(INSTANCE_ID_LABEL) == instance.spec.id:
                return folder, record
        raise CliError(f"instance {instance.metadata.name} has no server in {self._servers}")

    def flights(self, instances: Sequence[Instance]) -> list[Flight]:
        """Return the orders of all these agents, from their own ledgers."""
        found = []
        for instance in instances:
            folder, _ = self.server(instance)
            ledger = folder / "state" / "ledger.jsonl"
            text = ledger.read_text() if ledger.exists() else ""
            found += flights_of(label_of(instance), parse_ledger(text))
        return found
