"""From nothing to a stack that is ready, in the order in which a person hears of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from hydracore_cli.bundles.publish import FIELD_MANAGER
from hydracore_cli.connection import store_at
from hydracore_cli.stack import content
from hydracore_cli.stack.access import ensure_api_key
from hydracore_cli.stack.cluster import choose_cluster
from hydracore_cli.stack.database import database_url
from hydracore_cli.stack.env_file import write_env
from hydracore_cli.stack.key_material import ensure_keys
from hydracore_cli.stack.layout import StackLayout
from hydracore_cli.stack.options import StackOptions, check_port
from hydracore_cli.stack.progress import ProgressEvent, ProgressWriter
from hydracore_cli.stack.record import Phase, StackRecord, load_record
from hydracore_cli.stack.service import Service
from hydracore_cli.stack.service_env import (
    Addresses,
    api_env,
    operator_env,
    store_location,
)
from hydracore_devcluster import ports
from hydracore_devcluster.install import Accounts, install
from hydracore_devcluster.interface import Cluster
from hydracore_devcluster.layout import find_project
from hydracore_history import History
from hydracore_kube.client import KubeClient


class Run:
    """What one run of a stack has started so far; the supervisor ends it.

    Attributes:
        services: Operator and API, once they were started.
        cluster_started: Whether the cluster has to be stopped.
    """

    def __init__(
        self,
        layout: StackLayout,
        options: StackOptions,
        environ: Mapping[str, str],
        progress: ProgressWriter,
    ) -> None:
        """Prepare; nothing is started."""
        self.layout = layout
        self.services: list[Service] = []
        self.cluster_started = False
        self._options = options
        self._environ = environ
        self._progress = progress
        self._record = StackRecord(pid=0)
        self._cluster: Cluster | None = None

    @property
    def cluster(self) -> Cluster:
        """The cluster, once :meth:`start` has chosen it."""
        if self._cluster is None:
            raise RuntimeError("no cluster was chosen yet")
        return self._cluster

    def mark(self, phase: Phase) -> None:
        """Write into the record how far this run is."""
        self._record = self._record.model_copy(update={"phase": phase})
        self._record.save(self.layout.record)

    async def start(self) -> None:
        """Bring everything up.

        Raises:
            Exception: whatever cannot be had; the typed ones say what to do.
        """
        last = load_record(self.layout.record)
        self._record = StackRecord(pid=os.getpid(), api_port=last.api_port if last else 0)
        self.mark("starting")
        cluster = self._cluster = choose_cluster(self.layout, self._environ)
        async with self._stage("control plane (etcd, kube-apiserver, controllers)", 5):
            self.cluster_started = True
            await cluster.start()
        if cluster.missing is not None:
            self._note(cluster.missing)
        async with self._stage("definitions, service accounts and their rights", 2):
            accounts = await install(cluster, find_project())
        async with self._stage("keys and database", 1):
            await asyncio.to_thread(ensure_keys, self.layout)
            await self._migrate()
        addresses = self._choose_addresses()
        self._describe(cluster, addresses)
        async with self._stage("operator and API", 5):
            await self._start_services(accounts, addresses)
        await self._fill(cluster)
        self.mark("ready")

    async def _migrate(self) -> None:
        history = History(database_url(self.layout))
        try:
            await history.migrate()
        finally:
            await history.close()

    async def _start_services(self, accounts: Accounts, addresses: Addresses) -> None:
        logs = self.layout.logs
        operator = operator_env(self.layout, accounts.operator, addresses, self._environ)
        api = api_env(self.layout, accounts.api, addresses, self._environ)
        self.services = [
            Service("api", api, logs / "api.log", f"{addresses.api_url}/readyz"),
            Service("operator", operator, logs / "operator.log", f"{addresses.status_url}/readyz"),
        ]
        for service in self.services:
            service.start()
        await asyncio.gather(*(service.wait_ready() for service in self.services))

    async def _fill(self, cluster: Cluster) -> None:
        """Put in what a fresh stack holds, and write the env file."""
        kube = await KubeClient.connect(str(cluster.admin_kubeconfig), field_manager=FIELD_MANAGER)
        try:
            async with self._stage(f"runtime {content.FIRST_VERSION}: built, signed, verified", 4):
                named = self._environ.get("HYDRACORE_ARTIFACTS_URL")
                store = store_at(named or self.layout.artifacts_url, self._environ)
                await content.ensure_tenant(kube, content.FIRST_TENANT)
                version = content.FIRST_VERSION
                bundle = await content.ensure_runtime(self.layout, kube, store, version)
                await content.ensure_class(kube, bundle.metadata.name)
                await content.wait_verified(kube, bundle.metadata.name)
        finally:
            await kube.close()
        key = await ensure_api_key(self.layout, content.FIRST_TENANT)
        await asyncio.to_thread(write_env, self.layout.env, self._env_values(key))

    def _env_values(self, api_key: str) -> dict[str, str]:
        return {
            "KUBECONFIG": self._record.kubeconfig,
            "HYDRACORE_NAMESPACE": self._record.namespace,
            "HYDRACORE_API_URL": self._record.api_url,
            "HYDRACORE_API_KEY": api_key,
            "HYDRACORE_OPS_TOKEN": self.layout.ops_token.read_text().strip(),
            **store_location(self._environ),
        }

    def _choose_addresses(self) -> Addresses:
        """Choose ports; the API keeps its last one, since agents call home there."""
        asked, last = self._options.api_port, self._record.api_port
        check_port(asked)
        api_port, status_port = ports.choose(2)
        if asked:
            api_port = asked
        elif last and ports.is_free(last):
            api_port = last
        elif last:
            self._note(
                f"the API's last port {last} is taken by another process, so it gets {api_port}; "
                "agents made earlier cannot call home until it is free and the stack restarted"
            )
        return Addresses(api_port, status_port)

    def _describe(self, cluster: Cluster, addresses: Addresses) -> None:
        self._record = self._record.model_copy(
            update={
                "api_port": addresses.api_port,
                "status_port": addresses.status_port,
                "kubeconfig": str(cluster.admin_kubeconfig),
                "external": "KUBECONFIG" in self._environ,
                "kubectl": str(cluster.kubectl) if cluster.kubectl else None,
                "namespace": content.FIRST_TENANT,
                "api_url": addresses.api_url,
            }
        )
        self.mark("starting")

    @asynccontextmanager
    async def _stage(self, title: str, usual_seconds: float) -> AsyncIterator[None]:
        self._progress.write(ProgressEvent("begin", title, usual_seconds))
        yield
        self._progress.write(ProgressEvent("end", title))

    def _note(self, text: str) -> None:
        self._progress.write(ProgressEvent("note", text))
