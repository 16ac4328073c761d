"""Somebody else's cluster; the session's control plane plays it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hydracore_devcluster.client import Api
from hydracore_devcluster.errors import BrokenKubeconfigError
from hydracore_devcluster.external import ExternalCluster
from hydracore_devcluster.install import install
from hydracore_devcluster.layout import ProjectLayout
from tests.conftest import TestCluster

pytestmark = pytest.mark.cluster


async def test_it_is_used_and_left_running(
    cluster: TestCluster, project: ProjectLayout, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_bytes(cluster.dev.admin_kubeconfig.read_bytes())
    external = ExternalCluster(theirs, tmp_path / "state")
    await external.start()
    accounts = await install(external, project)
    assert accounts.operator.is_relative_to(tmp_path / "state")
    async with await Api.connect(accounts.api) as api:
        found = await api.json("GET", "/apis/hydracore.io/v1alpha1/instances")
    assert found["kind"] == "InstanceList"
    await external.stop()
    async with await Api.connect(theirs) as api:
        assert await api.text("GET", "/readyz") == "ok"


async def test_a_user_who_may_not_enter(cluster: TestCluster, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    token = cluster.dev.state.tokens.read_text().split(",", 1)[0]
    theirs.write_text(cluster.dev.admin_kubeconfig.read_text().replace(token, "old-token"))
    with pytest.raises(BrokenKubeconfigError) as caught:
        await ExternalCluster(theirs, tmp_path / "state").start()
    assert f"kubeconfig {theirs}: the cluster refuses its user" in str(caught.value)
    assert "old-token" not in str(caught.value)


async def test_a_server_that_does_not_answer(cluster: TestCluster, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        nobody = f"https://127.0.0.1:{silent.getsockname()[1]}"
        text = cluster.dev.admin_kubeconfig.read_text()
        theirs.write_text(text.replace(cluster.dev.server, nobody))
        with pytest.raises(BrokenKubeconfigError, match=f"{nobody} does not answer"):
            await ExternalCluster(theirs, tmp_path / "state").start()


async def test_a_certificate_of_another_authority(cluster: TestCluster, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    lines = cluster.dev.admin_kubeconfig.read_text().splitlines()
    theirs.write_text("\n".join(x for x in lines if "certificate-authority-data" not in x))
    with pytest.raises(BrokenKubeconfigError, match="does not answer"):
        await ExternalCluster(theirs, tmp_path / "state").start()


@pytest.mark.parametrize("content", ["", "a: [", "kind: Config"])
async def test_a_broken_file(tmp_path: Path, content: str) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(content)
    with pytest.raises(BrokenKubeconfigError, match=str(theirs)):
        await ExternalCluster(theirs, tmp_path / "state").start()


async def test_broken_credentials(cluster: TestCluster, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yaml"
    text = cluster.dev.admin_kubeconfig.read_text()
    theirs.write_text(text.replace("token: ", "client-certificate-data: '%%%' #"))
    with pytest.raises(BrokenKubeconfigError, match=str(theirs)):
        await ExternalCluster(theirs, tmp_path / "state").start()
