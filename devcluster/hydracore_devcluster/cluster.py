"""A control plane of our own: etcd, kube-apiserver and kube-controller-manager as processes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hydracore_devcluster import audit, certificates, commands, kubeconfig, ports
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.client import Api, ApiError, ApiUnreachableError
from hydracore_devcluster.commands import Ports
from hydracore_devcluster.errors import (
    DevClusterError,
    PortTakenError,
    StartFailedError,
    StateInUseError,
)
from hydracore_devcluster.layout import StateLayout, write_private
from hydracore_devcluster.lock import FileLock
from hydracore_devcluster.process import ManagedProcess

READY_SECONDS = 90.0
"""How long the control plane may take until it is ready; usual are about four seconds."""

_PORT_ATTEMPTS = 5
_PROBE_SECONDS = 0.05
_STOP_SECONDS = 3.0
_WATCH_SECONDS = 0.5
_TAKEN = "address already in use"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DevCluster:
    """A real control plane on this machine, without containers or root rights.

    Everything listens on loopback, on ports that are chosen free. The data stay in the state
    folder, so that starting again on it brings back every object. Children die with the process
    that started them. Start and stop it from the main thread.
    """

    def __init__(
        self,
        state_dir: Path,
        assets: Assets,
        *,
        audit_log: Path | None = None,
        ready_seconds: float = READY_SECONDS,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Prepare a cluster; nothing is written or started yet.

        Args:
            state_dir: Folder for data, logs, certificates and kubeconfigs; made when missing.
            assets: The binaries.
            audit_log: Where the API server writes its audit log, if not among the other logs.
            ready_seconds: How long starting may take.
            now: The clock by which certificates are issued.
        """
        self.state = StateLayout(state_dir.absolute())
        self._assets = assets
        self.audit_log = (audit_log or self.state.audit_log).absolute()
        self._ready_seconds = ready_seconds
        self._now = now
        self._pki = certificates.Certificates(self.state.certificates)
        self._ports = Ports(0, 0, 0)
        self._processes: dict[str, ManagedProcess] = {}
        self._lock = FileLock(self.state.lock)

    @property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig with administrator's rights."""
        return self.state.kubeconfig("admin")

    @property
    def kubectl(self) -> Path:
        """The kubectl that belongs to the API server."""
        return self._assets.kubectl

    @property
    def missing(self) -> str | None:
        """What this cluster cannot do for want of a binary, for people."""
        return self._assets.missing

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{ports.LOOPBACK}:{self._ports.apiserver}"

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of what runs, by name."""
        return {n: p.pid for n, p in self._processes.items() if p.pid is not None}

    async def start(self) -> None:
        """Start everything and return when the API server says that it is ready.

        Raises:
            StateInUseError: Another cluster runs on the same folder.
            StartFailedError: A process ended or did not get ready; quotes its last log lines.
        """
        self.state.create()
        if not self._lock.acquire():
            raise StateInUseError(
                f"another dev cluster runs on {self.state.root}: stop it with `make down`, or "
                "choose another folder with --state-dir"
            )
        try:
            self._pki = certificates.ensure(self.state.certificates, self._now())
            audit.write_policy(self.state)
            token = self._admin_token()
            for attempt in range(1, _PORT_ATTEMPTS + 1):
                self._choose_ports(again=attempt > 1)
                self._write_admin(token)
                try:
                    await self._start_once()
                except PortTakenError:
                    await self._stop_processes()
                    if attempt == _PORT_ATTEMPTS:
                        raise
                else:
                    return
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all processes and wait until they are gone; the data stay. May be called twice."""
        await self._stop_processes()
        self._lock.release()

    async def restart_apiserver(self) -> None:
        """Kill the API server as a crash would, and start it again on the same port."""
        process = self._processes["kube-apiserver"]
        await process.stop(0)
        process.start()
        await self._wait_ready()

    def pid(self, name: str) -> int | None:
        """Return the process id of ``etcd``, ``kube-apiserver`` or ``kube-controller-manager``.

        None where it does not run; tests freeze and kill processes by it.
        """
        process = self._processes.get(name)
        return None if process is None else process.pid

    async def failure(self) -> DevClusterError:
        """Wait until one of the processes ends by itself, and say which and why."""
        while True:
            for process in self._processes.values():
                if not process.alive:
                    return self._died(process)
            await asyncio.sleep(_WATCH_SECONDS)

    # ---- steps of starting and stopping ------------------------------------------------------

    async def _start_once(self) -> None:
        state, assets, pki = self.state, self._assets, self._pki
        etcd = self._process("etcd", commands.etcd(assets, state, pki, self._ports))
        apiserver = self._process(
            "kube-apiserver",
            commands.apiserver(assets, state, pki, self._ports, self.audit_log),
        )
        etcd.start()
        await self._wait_listening(etcd, self._ports.etcd)
        apiserver.start()
        if assets.kube_controller_manager is not None:
            manager = assets.kube_controller_manager
            command = commands.controller_manager(manager, state, pki)
            controllers = self._process("kube-controller-manager", command)
            await self._wait_ready()
            controllers.start()
        else:
            await self._wait_ready()

    def _process(self, name: str, argv: list[str]) -> ManagedProcess:
        process = ManagedProcess(name, argv, self.state.logs / f"{name}.log")
        self._processes[name] = process
        return process

    async def _stop_processes(self) -> None:
        # The API server may hold open watches for long; nothing of it is lost by killing it
        # once it had its time, and etcd goes last because the others write to it.
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            if name in self._processes:
                await self._processes[name].stop(_STOP_SECONDS)
        self._processes.clear()

    async def _wait_listening(self, process: ManagedProcess, port: int) -> None:
        deadline = time.monotonic() + self._ready_seconds
        while True:
            self._require_alive(process)
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(ports.LOOPBACK, port)
                writer.close()
                return
            if time.monotonic() > deadline:
                raise self._late(process)
            await asyncio.sleep(_PROBE_SECONDS)

    async def _wait_ready(self) -> None:
        process = self._processes["kube-apiserver"]
        deadline = time.monotonic() + self._ready_seconds
        last = ""
        async with await Api.connect(self.admin_kubeconfig, timeout_seconds=5) as api:
            while True:
                for running in (self._processes["etcd"], process):
                    self._require_alive(running)
                try:
                    await api.text("GET", "/readyz")
                except (ApiError, ApiUnreachableError) as error:
                    last = str(error)
                else:
                    return
                if time.monotonic() > deadline:
                    raise self._late(process, last)
                await asyncio.sleep(_PROBE_SECONDS)

    def _require_alive(self, process: ManagedProcess) -> None:
        if process.alive:
            return
        if _TAKEN in process.output():
            raise PortTakenError(
                f"{process.name} found its port taken by another process:\n{process.tail(3)}\n"
                f"This was tried {_PORT_ATTEMPTS} times with other ports; start again"
            )
        raise self._died(process)

    def _died(self, process: ManagedProcess) -> StartFailedError:
        return StartFailedError(
            f"{process.name} ended with status {process.exit_status}. Its last lines "
            f"({process.log}):\n{process.tail()}"
        )

    def _late(self, process: ManagedProcess, answer: str = "") -> StartFailedError:
        said = f" Its last answer: {answer}." if answer else ""
        return StartFailedError(
            f"{process.name} was not ready after {self._ready_seconds:.0f} s.{said} Its last "
            f"lines ({process.log}):\n{process.tail()}\nThe machine may be too busy: try again"
        )

    # ---- files -------------------------------------------------------------------------------

    def _choose_ports(self, *, again: bool) -> None:
        """Choose free ports; the API server keeps the one it had, so that kubeconfigs stay."""
        apiserver, etcd, peer = ports.choose(3)
        last = self._last_port()
        if last is not None and not again and last not in (etcd, peer) and ports.is_free(last):
            apiserver = last
        self._ports = Ports(apiserver, etcd, peer)

    def _last_port(self) -> int | None:
        try:
            server = kubeconfig.read_cluster(self.admin_kubeconfig)["server"]
            return int(str(server).rsplit(":", 1)[1])
        except (DevClusterError, ValueError, IndexError):
            return None

    def _admin_token(self) -> str:
        if not self.state.tokens.is_file():
            line = f'{secrets.token_urlsafe(32)},hydracore-admin,admin,"system:masters"\n'
            write_private(self.state.tokens, line.encode())
        return self.state.tokens.read_text().split(",", 1)[0]

    def _write_admin(self, token: str) -> None:
        kubeconfig.write(
            self.admin_kubeconfig,
            cluster=kubeconfig.own_cluster(self.server, self._pki.ca),
            user="hydracore-admin",
            token=token,
            namespace="default",
        )
