"""An Instance's life on a real local server with a real agent: ordered, ready, deleted, gone."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from hydracore_cli.stack.content import CLASS_NAME, REGION, ensure_class, ensure_tenant
from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.base import find
from hydracore_crds.instance import InstanceSpec
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_history import History
from hydracore_kube import NotFound
from hydracore_operator.providers.local.machine import ID_VARIABLE, all_pids
from hydracore_operator.providers.local.record import records
from tests.faults.plane import Plane
from tests.faults.sweep import provider_ledger


class InstanceLife:
    """The scenario."""

    name = "instance"
    ahead = timedelta()
    namespace = "swept-servers"

    def __init__(self, plane: Plane, ledger: Path) -> None:
        self.ledger = ledger
        self.history = History(plane.layout.database_url)
        self._plane = plane
        self._admin = plane.admin
        self._root = plane.layout.servers
        self._lives = 0
        self._id = ""

    async def prepare(self) -> None:
        """Make tenant, runtime and class; an operator must run, to verify the runtime."""
        await ensure_tenant(self._admin, self.namespace)
        runtime = await self._plane.publish_runtime()
        await ensure_class(self._admin, runtime.metadata.name)

    async def begin(self) -> None:
        self._lives += 1
        self._asked_for_deletion = False
        spec = InstanceSpec(class_name=CLASS_NAME, region_id=REGION)
        meta = ObjectMeta(name=f"i{self._lives}", namespace=self.namespace)
        made = await self._admin.create(Instance(metadata=meta, spec=spec))
        self._id = made.metadata.uid

    async def step(self) -> bool:
        try:
            found = await self._admin.get(Instance, f"i{self._lives}", self.namespace)
        except NotFound:
            assert self._asked_for_deletion
            return True
        ready = find(found.status.conditions, "Ready")
        if ready is not None and ready.status == "True" and not self._asked_for_deletion:
            assert found.spec.id == self._id
            self._check_one_server()
            await self._admin.delete(Instance, found.metadata.name, self.namespace)
            self._asked_for_deletion = True
        return False

    async def check(self) -> None:
        """One server was ever made (I1), none is left (I2), and SQL tells it all once."""
        (server,) = provider_ledger.servers(self.ledger, self._id)
        events = [e["event"] for e in provider_ledger.entries(self.ledger, self._id)]
        assert events[0] == "made"
        assert events.count("removed") <= 1  # a crash may come between the deed and its note
        assert not [r for _, r in records(self._root) if r.labels[INSTANCE_ID_LABEL] == self._id]
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

    # ---- inside ------------------------------------------------------------------------------
    def _check_one_server(self) -> None:
        """The Instance's one server is there, and its machine runs once."""
        (server,) = provider_ledger.servers(self.ledger, self._id)
        folders = [
            folder for folder, r in records(self._root) if r.labels[INSTANCE_ID_LABEL] == self._id
        ]
        assert len(folders) == 1
        machines = [pid for pid in living(server) if b"machine.py" in _arguments(pid)]
        assert len(machines) == 1

    def _tail(self, folder: Path) -> str:
        log = folder / "log" / "console.log"
        return "\n".join(log.read_text().splitlines()[-8:]) if log.exists() else ""


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
