"""An Instance's life on a real local server: ordered, enrolled, ready, deleted, gone.

The agent is simulated, but for :class:`RealAgentLife`, whose lives take several times as long.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hydracore_cli.stack.content import REGION, ensure_tenant
from hydracore_crds import Bundle, Instance, InstanceClass, ObjectMeta
from hydracore_crds.base import find
from hydracore_crds.instance import InstanceSpec
from hydracore_crds.instance_class import InstanceClassSpec
from hydracore_crds.names import INSTANCE_ID_LABEL, WAKE_ANNOTATION
from hydracore_history import History
from hydracore_kube import NotFound
from hydracore_operator.providers.local.machine import ID_VARIABLE, all_pids
from hydracore_operator.providers.local.record import ServerRecord, records
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.sweep import provider_ledger, stand_ins


class InstanceLife:
    """The scenario with a simulated agent."""

    name = "instance"
    clock: Path | None = None
    keep = False
    machine_command: tuple[str, ...] | None = stand_ins.COMMAND

    def __init__(self, plane: Plane, folder: Path, ledger: Path) -> None:
        self.ledger = ledger
        self.tenant = Tenant(plane, folder)
        self.namespace = self.tenant.namespace
        self.history = History(plane.database_url)
        self._plane = plane
        self._admin = plane.admin
        self._root = plane.layout.servers
        self._class = f"class-{self.namespace}"
        self._agent: stand_ins.StandIn | None = None
        self._lives = 0
        self._id = ""

    async def prepare(self) -> None:
        """Make tenant, runtime and class; an operator must run, to verify the runtime."""
        await ensure_tenant(self._admin, self.namespace)
        self.bundle = await self._runtime()
        await self._admin.create(
            InstanceClass(
                metadata=ObjectMeta(name=self._class),
                spec=InstanceClassSpec(
                    display_name="Swept",
                    provider="local",
                    server_type="process",
                    regions={REGION: "this-machine"},
                    bundle_name=self.bundle.metadata.name,
                ),
            )
        )

    async def begin(self) -> None:
        self._lives += 1
        self._asked_for_deletion = self._enrolled = False
        spec = InstanceSpec(
            class_name=self._class, region_id=REGION, runtime_type=self.bundle.spec.slug
        )
        meta = ObjectMeta(name=f"i{self._lives}", namespace=self.namespace)
        made = await self._admin.create(Instance(metadata=meta, spec=spec))
        self._id = made.metadata.uid

    async def step(self) -> bool:
        await self._act_as_agent()
        try:
            found = await self._admin.get(Instance, f"i{self._lives}", self.namespace)
        except NotFound:
            assert self._asked_for_deletion
            return True
        ready = find(found.status.conditions, "Ready")
        if ready is not None and ready.status == "True" and not self._asked_for_deletion:
            assert found.spec.id == self._id
            self._check_one_server()
            if self.keep:
                return True
            await self._admin.delete(Instance, found.metadata.name, self.namespace)
            self._asked_for_deletion = True
        return False

    async def check(self) -> None:
        """One server was ever made (I1), none is left (I2), and SQL tells it all once."""
        if self.keep:
            return
        await self.close_agent()
        (server,) = provider_ledger.servers(self.ledger, self._id)
        events = [e["event"] for e in provider_ledger.entries(self.ledger, self._id)]
        assert events[0] == "made"
        assert events.count("removed") <= 1  # a crash may come between the deed and its note
        assert self._servers() == []
        assert living(server) == []
        assert await self.history.tombstones.get(self._id) is not None
        assert await self.history.credentials.get(self._id) is None
        assert await self.history.stages.latest(self._id) is None
        texts = [line.message for line in await self.history.provision_log.list(self._id)]
        assert len(texts) == len(set(texts)), "a line was written twice"

    def describe(self) -> str:
        events = provider_ledger.entries(self.ledger, self._id)
        logs = [self._tail(folder) for folder, _ in records(self._root)]
        return "\n".join([json.dumps(events), *logs])

    async def close_agent(self) -> None:
        if self._agent is not None:
            await self._agent.__aexit__()
            self._agent = None

    # ---- inside ------------------------------------------------------------------------------
    async def _runtime(self) -> Bundle:
        return await self.tenant.publish()

    async def _act_as_agent(self) -> None:
        """Answer at the server's address once it is there, enrol, and wake the operator."""
        found = [r for r in self._servers() if r.machine is not None]
        if self._agent is None and found and not self._asked_for_deletion:
            made = stand_ins.StandIn(self._plane.key, found[0], self._id)
            self._agent = await made.__aenter__()
        if self._agent is None or self._enrolled:
            return
        self._enrolled = await self._agent.enrol(self.history, self.bundle)
        if self._enrolled:
            body: dict[str, Any] = {"metadata": {"annotations": {WAKE_ANNOTATION: "1"}}}
            await self._admin.patch(Instance, f"i{self._lives}", self.namespace, body)

    def _servers(self) -> list[ServerRecord]:
        """Return this Instance's servers as their folders tell."""
        found = [r for _, r in records(self._root)]
        return [r for r in found if r.labels[INSTANCE_ID_LABEL] == self._id]

    def _check_one_server(self) -> None:
        """The Instance's one server is there, and its machine runs once."""
        (server,) = provider_ledger.servers(self.ledger, self._id)
        assert [found.id for found in self._servers()] == [server]
        machines = [pid for pid in living(server) if b"machine.py" in _arguments(pid)]
        assert len(machines) == 1

    def _tail(self, folder: Path) -> str:
        log = folder / "log" / "console.log"
        return "\n".join(log.read_text().splitlines()[-8:]) if log.exists() else ""


class RealAgentLife(InstanceLife):
    """The same with the agent's own program: it boots, enrols and fetches its runtime."""

    name = "real-agent"
    machine_command: tuple[str, ...] | None = None

    async def _runtime(self) -> Bundle:
        return await self._plane.publish_runtime()

    async def _act_as_agent(self) -> None:
        return


def living(server_id: str) -> list[int]:
    """Return the processes that bear a server's id in their environment."""
    marker = f"{ID_VARIABLE}={server_id}".encode()
    return [pid for pid in all_pids() if marker in _read(pid, "environ").split(b"\0")]


def _arguments(pid: int) -> bytes:
    return _read(pid, "cmdline")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
