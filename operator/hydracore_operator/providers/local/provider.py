"""Servers as folders and processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_operator.providers.base import Reboot, Server, ServerRequest
from hydracore_operator.providers.errors import (
    NameConflictError,
    ServerNotFoundError,
    TooLateError,
    TransientError,
)
from hydracore_operator.providers.local import processes, reboots, record
from hydracore_operator.providers.local.locks import file_lock
from hydracore_operator.providers.local.ports import choose_port
from hydracore_operator.providers.local.record import ServerRecord

HOST = "127.0.0.1"
LAUNCHER = (sys.executable, "-m", "hydracore_agent.launcher")
_LOCK_SECONDS = 30.0
_START_SECONDS = 10.0
_TERM_SECONDS = 12.0
_KILL_SECONDS = 5.0


class LocalProvider:
    """The provider named ``local``.

    Args:
        root: Folder of all servers (``LOCAL_PROVIDER_DIR``); it is made if it is missing.
        now: The clock, for ``createdAt``.
        rng: Chooses ports.
        command: What a machine runs, before ``--dir <folder>``.
    """

    name = "local"

    def __init__(
        self,
        root: Path,
        *,
        now: Callable[[], datetime],
        rng: random.Random | None = None,
        command: Sequence[str] = LAUNCHER,
    ) -> None:
        self._root = root
        self._now = now
        self._rng = rng or random.SystemRandom()
        self._command = tuple(command)
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    async def create(self, request: ServerRequest) -> Server:
        """Make the folder and start the machine; see the protocol."""
        async with self._storage(), file_lock(self._root / ".lock", _LOCK_SECONDS):
            made = await asyncio.to_thread(self._make, request)
        return await self.power_on(made.id)

    async def find(self, labels: Mapping[str, str]) -> Server | None:
        """Look through all folders; see the protocol."""
        wanted = labels.items()
        found = [s for s in await self._all() if wanted <= s.labels.items()]
        if len(found) > 1:
            names = ", ".join(s.name for s in found)
            raise NameConflictError(f"several servers carry the same instance id: {names}")
        return self._server(found[0]) if found else None

    async def get(self, server_id: str) -> Server:
        """Read the folder; see the protocol."""
        return self._server(self._load(server_id))

    async def list(self) -> list[Server]:
        """Look through all folders; see the protocol."""
        return [self._server(s) for s in await self._all() if INSTANCE_ID_LABEL in s.labels]

    async def power_on(self, server_id: str) -> Server:
        """Start the machine unless it runs; return when it does."""
        self._load(server_id)
        async with self._storage(), self._held(server_id):
            return await self._start(server_id)

    async def power_cycle(self, server_id: str) -> Server:
        """End all processes of the server and start its machine again."""
        self._load(server_id)
        async with self._storage(), self._held(server_id):
            found = self._load(server_id)
            await self._stop(found)
            return await self._start(server_id)

    async def reboot(self, server_id: str, *, request_id: str, not_after: datetime) -> Reboot:
        """End all processes of the server and start its machine again; see the protocol."""
        self._load(server_id)
        async with self._storage(), self._held(server_id):
            found, folder = self._load(server_id), self._folder(server_id)
            if reboots.is_forbidden(folder, request_id):
                raise TooLateError(f"{found.name} is not rebooted: the request was given up")
            begun = reboots.find(folder, request_id)
            if begun is None:
                now = self._now()
                if now >= not_after:
                    raise TooLateError(f"{found.name} is not rebooted: the deadline has passed")
                begun = reboots.Begun(request_id, now, found.machine)
                reboots.note(folder, begun)
            return await self._carry_out(server_id, begun)

    async def reboot_of(self, server_id: str, request_id: str) -> Reboot | None:
        """Look into the server's folder; see the protocol."""
        self._load(server_id)
        async with self._storage():
            begun = reboots.find(self._folder(server_id), request_id)
            return self._reboot(server_id, begun) if begun is not None else None

    async def forbid_reboot(self, server_id: str, request_id: str) -> Reboot | None:
        """Note that the request may not begin any more; see the protocol."""
        self._load(server_id)
        async with self._storage(), self._held(server_id):
            folder = self._folder(server_id)
            begun = reboots.find(folder, request_id)
            if begun is not None:
                return await self._carry_out(server_id, begun)
            reboots.forbid(folder, request_id, self._now())
            return None

    async def delete(self, server_id: str) -> None:
        """End all processes, wait until they are gone, remove the folder."""
        self._load(server_id)
        async with self._storage(), self._held(server_id):
            await self._stop(self._load(server_id))
            await asyncio.to_thread(record.remove_folder, self._folder(server_id))

    async def _carry_out(self, server_id: str, begun: reboots.Begun) -> Reboot:
        """Do what is left of a reboot that was begun, as a cloud does whatever becomes of us.

        The process may have died between the note and any later step, so all of them look first.
        """
        found = self._load(server_id)
        if found.machine == begun.machine:
            await self._stop(found)
        if found.machine == begun.machine or not processes.machine_alive(found):
            await self._start(server_id)
        return self._reboot(server_id, begun)

    def _reboot(self, server_id: str, begun: reboots.Begun) -> Reboot:
        found = self._load(server_id)
        booted = processes.machine_alive(found) and found.machine != begun.machine
        return Reboot(begun.at, booted)

    def _make(self, request: ServerRequest) -> ServerRecord:
        record.sweep(self._root)
        folder = self._root / request.name
        if folder.exists():
            held = record.load(folder)
            if held is None or dict(held.labels) != dict(request.labels):
                raise NameConflictError(f"the server name {request.name} is held by another")
            return held
        taken = {other.port for _, other in record.records(self._root)}
        made = ServerRecord(
            id=f"{request.name}.{secrets.token_hex(4)}",
            name=request.name,
            labels=request.labels,
            host=HOST,
            port=choose_port(HOST, taken, self._rng),
            server_type=request.server_type,
            location=request.location,
            created_at=self._now(),
        )
        listen = {"host": made.host, "port": made.port}
        record.make_folder(self._root, made, {**request.user_data, "listen": listen})
        return made

    async def _start(self, server_id: str) -> Server:
        found = self._load(server_id)
        if not processes.machine_alive(found):
            await self._stop(found)  # what outlived the machine would be in the new one's way
            folder = self._folder(server_id)
            self._started[server_id] = processes.start_machine(
                folder, found, self._command, sys.executable
            )
            await processes.wait_until(
                lambda: processes.machine_alive(self._load(server_id)), _START_SECONDS
            )
            found = self._load(server_id)
        if not processes.machine_alive(found):
            raise TransientError(f"the machine of {found.name} did not start; see its log folder")
        return self._server(found)

    async def _stop(self, found: ServerRecord) -> None:
        left = await processes.end_all(
            found, term_seconds=_TERM_SECONDS, kill_seconds=_KILL_SECONDS
        )
        self._reap()
        if left:
            raise TransientError(f"processes of {found.name} do not end: {left}")

    def _reap(self) -> None:
        """Take the exit status of machines that ended, so that none stays as a zombie."""
        for server_id, process in list(self._started.items()):
            if process.poll() is not None:
                del self._started[server_id]

    def _folder(self, server_id: str) -> Path:
        return self._root / server_id.rpartition(".")[0]

    def _load(self, server_id: str) -> ServerRecord:
        name = server_id.rpartition(".")[0]
        plain = name and "/" not in name and not name.startswith(".")
        found = record.load(self._root / name) if plain else None
        if found is None or found.id != server_id:
            raise ServerNotFoundError(f"there is no local server {server_id}")
        return found

    async def _all(self) -> tuple[ServerRecord, ...]:
        async with self._storage():
            return await asyncio.to_thread(
                lambda: tuple(found for _, found in record.records(self._root))
            )

    def _held(self, server_id: str) -> contextlib.AbstractAsyncContextManager[None]:
        return file_lock(self._folder(server_id) / "provider.lock", _LOCK_SECONDS)

    @asynccontextmanager
    async def _storage(self) -> AsyncIterator[None]:
        """Turn failures of the file system into the protocol's errors."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise TransientError(
                f"the folder of local servers cannot be used: {error.strerror or error}"
            ) from error

    def _server(self, found: ServerRecord) -> Server:
        self._reap()
        return Server(
            id=found.id,
            name=found.name,
            labels=found.labels,
            state="running" if processes.machine_alive(found) else "off",
            ip_address=found.host,
            agent_url=f"http://{found.host}:{found.port}",
            server_type=found.server_type,
            location=found.location,
            created_at=found.created_at,
        )
