"""The control plane that is measured: its own etcd and API server, real operator and API processes.

Everything lies in a temporary folder and ends with the block.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hydracore_agentclient import ControlPlaneKey
from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.stack.database import database_url
from hydracore_cli.stack.key_material import ensure_keys
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.service import Service
from hydracore_cli.stack.service_env import Addresses, api_env, operator_env
from hydracore_devcluster import ports
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.build import provide
from hydracore_devcluster.cluster import DevCluster
from hydracore_devcluster.install import Accounts, install
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.progress import Progress
from hydracore_history import History
from hydracore_kube import KubeClient

HEALTH_SECONDS = 60
QUICK_HEALTH_SECONDS = 5
"""Of runs that show only that a benchmark works: all is at rest once every agent was asked."""
"""How often the operator asks each agent: the interval for fleets of thousands."""


LEASE_SECONDS = 60
"""Longer than in production, so that a busy machine does not end a measurement."""
LOG_LINES = 15
"""Shown of each service's log when a benchmark fails."""


class Plane:
    """A control plane whose services are started one by one."""

    def __init__(
        self,
        layout: StackLayout,
        dev: DevCluster,
        accounts: Accounts,
        assets: Assets,
        health_seconds: float,
    ) -> None:
        self.layout, self.dev, self.accounts, self.assets = layout, dev, accounts, assets
        self.key = ControlPlaneKey.from_pem(layout.control_plane_key)
        self.store = ArtifactStore(layout.artifacts_url)
        operator, api = ports.choose(2)
        self.addresses = Addresses(api, operator)
        self._outer = {
            "PATH": os.environ["PATH"],
            "HOME": str(layout.root),
            "HYDRACORE_HEALTH_INTERVAL_SECONDS": str(health_seconds),
            "HYDRACORE_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self._services: list[Service] = []

    async def open(self) -> None:
        """Connect as administrator and make the database."""
        self.admin = await KubeClient.connect(
            str(self.dev.admin_kubeconfig), field_manager="bench", timeout_seconds=60
        )
        history = History(database_url(self.layout))
        await history.migrate()
        await history.close()

    async def close(self) -> None:
        """Stop the services."""
        for service in self._services:
            await service.stop()
        await self.admin.close()

    def operator(self) -> Service:
        """Prepare an operator process; it is stopped with the plane."""
        env = operator_env(self.layout, self.accounts.operator, self.addresses, self._outer)
        return self._service("operator", env, f"{self.addresses.status_url}/readyz")

    def api(self) -> Service:
        """Prepare an API process; it is stopped with the plane."""
        env = api_env(self.layout, self.accounts.api, self.addresses, self._outer)
        return self._service("api", env, f"{self.addresses.api_url}/readyz")

    def _service(self, name: str, env: dict[str, str], ready: str) -> Service:
        made = Service(name, env, self.layout.logs / f"{name}.log", ready)
        self._services.append(made)
        return made

    def show_logs(self) -> None:
        """Print the end of every service's log, for a failure's sake."""
        for log in sorted(self.layout.logs.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            print(f"-- {log.name}", *lines, sep="\n", file=sys.stderr)

    def programs(self) -> dict[str, Path]:
        """Return the control plane's programs, to be asked for their versions."""
        return {"kube-apiserver": self.assets.kube_apiserver, "etcd": self.assets.etcd}


@asynccontextmanager
async def running_plane(*, health_seconds: float = HEALTH_SECONDS) -> AsyncIterator[Plane]:
    """Start a control plane in a temporary folder; operator and API are not started yet."""
    project = find_project()
    assets = provide(project, os.environ, Progress(sys.stderr))
    with tempfile.TemporaryDirectory(prefix="hydracore-bench-") as folder:
        layout = layout_of(Path(folder))
        layout.create()
        dev = DevCluster(layout.cluster, assets)
        await dev.start()
        try:
            accounts = await install(dev, project)
            await asyncio.to_thread(ensure_keys, layout)
            plane = Plane(layout, dev, accounts, assets, health_seconds)
            await plane.open()
            try:
                yield plane
            except Exception:
                plane.show_logs()
                raise
            finally:
                await plane.close()
        finally:
            await dev.stop()


async def status_of(plane: Plane) -> dict[str, Any] | None:
    """Return what the operator says about itself; None while it does not answer."""
    import httpx  # noqa: PLC0415 - not while a start is timed

    try:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            found: dict[str, Any] = (
                await client.get(f"{plane.addresses.status_url}/status")
            ).json()
    except (httpx.HTTPError, ValueError):
        return None
    return found
