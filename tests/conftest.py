"""Fixtures that every test may use: the real control plane above all, a real PostgreSQL
and a real S3 server.

``cluster`` starts etcd, kube-apiserver and kube-controller-manager once for the whole session
(about four seconds), with definitions and rights installed. Tests share it and stay apart by
namespace.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest
import pytest_asyncio

# Helpers' assertions tell what they saw, as those of the tests themselves do.
pytest.register_assert_rewrite("tests.faults", "tests.operator", "tests.simulation", "tests.stack")

from hydracore_crds.names import TENANT_LABEL
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.audit import new_log
from hydracore_devcluster.build import provide, provide_tools
from hydracore_devcluster.client import Api, ApiError
from hydracore_devcluster.cluster import DevCluster
from hydracore_devcluster.install import Accounts, install
from hydracore_devcluster.layout import ProjectLayout, find_project
from hydracore_devcluster.progress import Progress
from hydracore_devcluster.toolset import S3_TOOLS
from tests.rights.session import folder
from tests.support.postgres import binaries
from tests.support.postgres.server import PostgresServer
from tests.support.s3.server import S3Server

pytest_plugins = ["tests.rights.plugin"]

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]
_KUBECTL_SECONDS = 60


@dataclass(frozen=True)
class TestCluster:
    """The session's control plane and who may enter it."""

    __test__ = False

    dev: DevCluster
    accounts: Accounts

    async def restart_apiserver(self) -> None:
        """Kill the API server and start it again on the same port."""
        await self.dev.restart_apiserver()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first, so that no worker is left with it while the others are done."""

    def later(item: pytest.Item) -> int:
        marks = {mark.name for mark in item.iter_markers()}
        return 0 if "first" in marks else 1 if "stack" in marks else 2

    items.sort(key=later)


@pytest.fixture(scope="session")
def project() -> ProjectLayout:
    """The folders of this checkout."""
    return find_project()


@pytest.fixture(scope="session")
def assets(project: ProjectLayout, pytestconfig: pytest.Config) -> Assets:
    """The control plane's binaries, built when they are missing (with progress shown)."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        return provide(project, os.environ, Progress(sys.stderr))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(
    project: ProjectLayout, assets: Assets, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestCluster]:
    """A real control plane for the session, definitions and rights installed."""
    log = new_log(folder(tmp_path_factory))
    dev = DevCluster(tmp_path_factory.mktemp("cluster"), assets, audit_log=log)
    await dev.start()
    try:
        yield TestCluster(dev, await install(dev, project))
    finally:
        await dev.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server for the session; a test makes a database of its own in it."""
    server = PostgresServer(binaries.find(os.environ))
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def s3_program(project: ProjectLayout, pytestconfig: pytest.Config) -> Path:
    """The S3 server's program, built when it is missing (with progress shown)."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        folder = provide_tools(S3_TOOLS, project, os.environ, Progress(sys.stderr))
    return folder / S3_TOOLS.programs[0]


@pytest.fixture(scope="session")
def s3(s3_program: Path) -> Iterator[S3Server]:
    """A real S3 server for the session; a test makes a bucket of its own in it."""
    server = S3Server(s3_program)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def own_s3(s3_program: Path) -> Iterator[S3Server]:
    """A real S3 server that a test may stop and start."""
    server = S3Server(s3_program)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def admin_kubeconfig(cluster: TestCluster) -> str:
    """Path of a kubeconfig with administrator's rights."""
    return str(cluster.dev.admin_kubeconfig)


@pytest.fixture(scope="session")
def operator_kubeconfig(cluster: TestCluster) -> str:
    """Path of a kubeconfig with the operator's rights and no more."""
    return str(cluster.accounts.operator)


@pytest.fixture(scope="session")
def api_kubeconfig(cluster: TestCluster) -> str:
    """Path of a kubeconfig with the API's rights and no more."""
    return str(cluster.accounts.api)


@pytest.fixture(scope="session")
def kubectl(
    cluster: TestCluster,
    admin_kubeconfig: str,
    project: ProjectLayout,
    tmp_path_factory: pytest.TempPathFactory,
) -> Kubectl:
    """The real kubectl: ``kubectl("get", "ns", input=..., kubeconfig=..., check=True)``.

    It runs as administrator unless another kubeconfig is named, in the root of the checkout.
    With ``check`` a failure fails the test with what kubectl said.
    """

    home = tmp_path_factory.mktemp("kubectl")

    def run(
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run has it
        kubeconfig: str | None = None,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(cluster.dev.kubectl), f"--kubeconfig={kubeconfig or admin_kubeconfig}", *args],
            input=input,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_SECONDS,
            cwd=project.root,
            env={"PATH": os.defpath, "HOME": str(home)},
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"kubectl {' '.join(args)}: {done.stderr}")
        return done

    return run


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def admin_api(admin_kubeconfig: str) -> AsyncIterator[Api]:
    """Raw requests as administrator; much faster than kubectl."""
    async with await Api.connect(Path(admin_kubeconfig)) as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="session")
async def namespace(admin_api: Api) -> AsyncIterator[str]:
    """A fresh tenant: a namespace labelled with ``hydracore.io/tenant-id`` (its own name)."""
    async with tenant(admin_api, f"t-{secrets.token_hex(5)}") as name:
        yield name


@contextlib.asynccontextmanager
async def tenant(api: Api, name: str) -> AsyncIterator[str]:
    """Create a tenant's namespace, and delete it afterwards without waiting for its end."""
    metadata = {"name": name, "labels": {TENANT_LABEL: name}}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    await api.json("POST", "/api/v1/namespaces", body)
    try:
        yield name
    finally:
        try:
            await api.json("DELETE", f"/api/v1/namespaces/{name}")
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:  # the test may have deleted it
                raise
