"""A control plane whose every process is at the test's mercy.

etcd, API server and controllers of its own (not the session's, since the API server gets killed),
the REST API as a process, and as many operator processes as a test starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hydracore_agentclient import AgentClient, ControlPlaneKey
from hydracore_artifacts.build.runtime import RuntimeRequest
from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.stack import content, database, servers
from hydracore_cli.stack.key_material import ensure_keys
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.service import Service
from hydracore_cli.stack.service_env import Addresses, api_env, operator_env
from hydracore_crds.bundle import Bundle
from hydracore_devcluster import ports
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.cluster import DevCluster
from hydracore_devcluster.install import Accounts, install
from hydracore_devcluster.layout import ProjectLayout
from hydracore_history import History
from hydracore_kube import KubeClient, NotFound, Where
from hydracore_operator.leadership.leader import LEASE_NAME
from tests.faults.operators import OperatorProcess, end
from tests.faults.proxy import Proxy

LEASE_SECONDS = 4
SETTINGS = {
    "HYDRACORE_LEASE_SECONDS": str(LEASE_SECONDS),
    "HYDRACORE_HEALTH_INTERVAL_SECONDS": "2",
    "HYDRACORE_AGENT_TRIAL_SECONDS": "20",
}


class Plane:
    """The control plane of this folder's tests."""

    def __init__(
        self,
        layout: StackLayout,
        dev: DevCluster,
        accounts: Accounts,
        database_url: str | None = None,
    ) -> None:
        self.layout = layout
        self.dev = dev
        self.operators: list[OperatorProcess] = []
        self.store = ArtifactStore(layout.artifacts_url)
        self.key = ControlPlaneKey.from_pem(layout.control_plane_key)
        self.agents = AgentClient(self.key, subject="operator", now=lambda: datetime.now(UTC))
        self.accounts = accounts
        self.database_url = database_url or database.database_url(layout)
        self._database = {"HYDRACORE_DATABASE_URL": self.database_url}
        self._api_port = ports.choose(1)[0]
        self.front = Proxy(Addresses(self._api_port, 0).api_url)
        self._runtimes = 0
        self._started = 0
        self.outer = {"PATH": os.environ["PATH"], "HOME": str(layout.root), **SETTINGS}

    async def open(self) -> None:
        self.admin = await KubeClient.connect(str(self.dev.admin_kubeconfig), field_manager="test")
        history = History(self.database_url)
        await history.migrate()
        await history.close()
        addresses = Addresses(self._api_port, 0)
        url = f"{addresses.api_url}/readyz"
        await self.front.__aenter__()
        self.api = Service("api", self.api_env(), self.layout.logs / "api.log", url)
        self.api.start()
        await self.api.wait_ready()

    async def close(self) -> None:
        await end(self.operators)
        await self.api.stop()
        await servers.switch_off(self.layout.servers)
        await self.front.__aexit__()
        await self.agents.close()
        await self.admin.close()

    # ---- operators ---------------------------------------------------------------------------
    def operator_env(self, status_port: int, **changes: str) -> dict[str, str]:
        """Return an operator's environment; ``changes`` are settings of its own."""
        addresses = Addresses(self._api_port, status_port)
        own = operator_env(self.layout, self.accounts.operator, addresses, self.outer)
        front = {"HYDRACORE_AGENT_API_URL": self.front.url}
        return {**own, **front, **self._database, **changes}

    def api_env(self) -> dict[str, str]:
        addresses = Addresses(self._api_port, 0)
        return {**api_env(self.layout, self.accounts.api, addresses, self.outer), **self._database}

    def start_operator(self, **changes: str) -> OperatorProcess:
        """Start another operator; it leads once nobody else does.

        Args:
            changes: Settings (``HYDRACORE_...``) that differ from the other operators'.
        """
        port, name = ports.choose(1)[0], f"operator-{self._started}"
        self._started += 1
        log = self.layout.logs / f"{name}.log"
        url = Addresses(self._api_port, port).status_url
        made = OperatorProcess(name, self.operator_env(port, **changes), log, url)
        made.start()
        self.operators.append(made)
        return made

    @contextlib.asynccontextmanager
    async def supervised_operator(self, **changes: str) -> AsyncIterator[Service]:
        """Run one operator as the stack's supervisor does: it starts again whenever it ends."""
        await end(self.operators)
        self.operators = []
        port = ports.choose(1)[0]
        url = Addresses(self._api_port, port).status_url
        log = self.layout.logs / "operator-supervised.log"
        service = Service("operator", self.operator_env(port, **changes), log, f"{url}/readyz")
        service.start()
        keeper = asyncio.create_task(service.keep_running(lambda _text: None))
        try:
            await service.wait_ready()
            yield service
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await service.stop()

    async def _free_lease(self) -> None:
        """Take the Lease from an operator that was killed, so that a patient one may lead soon."""
        place = Where("coordination.k8s.io/v1", "leases", "hydracore-system", LEASE_NAME)
        try:
            lease = await self.admin.get_raw(place)
        except NotFound:
            return
        lease["spec"].pop("holderIdentity", None)
        await self.admin.replace_raw(place, lease)

    @contextlib.asynccontextmanager
    async def only_operator(self, **changes: str) -> AsyncIterator[OperatorProcess]:
        """Run one operator with settings of its own and no other; it leads when this yields."""
        for operator in self.operators:
            await operator.stop()
        await self._free_lease()
        made = self.start_operator(**changes)
        self.operators = [made]
        try:
            await made.wait_leading()
            yield made
        finally:
            await made.stop()  # so that the next need not wait for its Lease
            self.operators = [o for o in self.operators if o is not made]

    async def one_operator(self) -> OperatorProcess:
        """Leave exactly one operator, and return it once it leads."""
        living = [operator for operator in self.operators if operator.alive]
        leading = [operator for operator in living if await operator.leads()][:1]
        for operator in living:
            if operator not in leading:
                await operator.kill()
        kept = leading[0] if leading else self.start_operator()
        self.operators = [kept]
        await kept.wait_leading()
        return kept

    async def successor(self) -> OperatorProcess:
        """Return the operator that leads after the last one was killed, however it was started."""
        self.revive()
        await self.operators[-1].wait_leading()
        return self.operators[-1]

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to etcd, the API server or the controllers."""
        pid = self.dev.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, number)

    def revive(self) -> None:
        """Start an operator where all have ended, as a supervisor would.

        An operator ends by itself when a busy machine lets it miss its Lease.
        """
        if self.operators and not any(operator.alive for operator in self.operators):
            self.start_operator()

    def describe_operators(self) -> str:
        """Return which operators run, how the others ended, and what each said last."""
        return "\n".join(
            f"{o.name}: {'runs' if o.alive else f'ended with {o.exit_status}'}\n{o.tail()}"
            for o in self.operators
        )

    # ---- bundles -----------------------------------------------------------------------------
    async def publish_runtime(self, plugins: Sequence[Path] = ()) -> Bundle:
        """Build and publish the next version of the agents' runtime; it is verified by then."""
        version = f"1.0.{self._runtimes}"
        self._runtimes += 1
        request = RuntimeRequest(version, plugins=tuple(plugins))
        made = await content.build_and_publish(self.layout, self.admin, self.store, request)
        return await content.wait_verified(self.admin, made.metadata.name)


@contextlib.asynccontextmanager
async def running_plane(
    folder: Path, assets: Assets, project: ProjectLayout, database_url: str | None = None
) -> AsyncIterator[Plane]:
    """Start a control plane below the folder, and end every process of it afterwards.

    Its history is in SQLite unless another database is named.
    """
    layout = layout_of(folder)
    layout.create()
    dev = DevCluster(layout.cluster, assets)
    await dev.start()
    try:
        accounts = await install(dev, project)
        await asyncio.to_thread(ensure_keys, layout)
        plane = Plane(layout, dev, accounts, database_url)
        try:
            await plane.open()
            yield plane
        finally:
            await plane.close()
    finally:
        await dev.stop()
