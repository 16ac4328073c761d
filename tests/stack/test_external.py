"""A stack on somebody else's cluster, named by KUBECONFIG."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_cli.stack.env_file import read_env
from hydracore_cli.stack.layout import layout_of
from hydracore_cli.stack.locks import is_held
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.cluster import DevCluster

pytestmark = pytest.mark.stack


@pytest_asyncio.fixture
async def others(assets: Assets, tmp_path: Path) -> AsyncIterator[tuple[DevCluster, Path]]:
    """A cluster with nothing of HydraCore in it, and a kubeconfig of another person for it."""
    cluster = DevCluster(tmp_path / "others", assets)
    await cluster.start()
    path = tmp_path / "others.yaml"
    text = cluster.admin_kubeconfig.read_text()
    path.write_text(text.replace("hydracore-admin", "somebody"))
    try:
        yield cluster, path
    finally:
        await cluster.stop()


def hydracore(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hydracore_cli.main", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def get_bundles(cluster: DevCluster, kubeconfig: Path) -> str:
    return subprocess.run(
        [str(cluster.kubectl), f"--kubeconfig={kubeconfig}", "get", "bundles"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


async def test_a_stack_uses_and_leaves_another_cluster(
    others: tuple[DevCluster, Path], assets: Assets, tmp_path: Path
) -> None:
    cluster, kubeconfig = others
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KUBECONFIG": str(kubeconfig),
        "KUBEBUILDER_ASSETS": str(assets.kube_apiserver.parent),
    }
    state = ("--state-dir", str(tmp_path / "state"))
    layout = layout_of(tmp_path / "state")
    up = hydracore(environ, "up", *state)
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        assert read_env(layout.env)["KUBECONFIG"] == str(kubeconfig)
        assert not (layout.cluster / "etcd").exists(), "no control plane of its own was started"
    finally:
        down = hydracore(environ, "down", *state)
    assert down.returncode == 0, down.stderr
    assert "control plane" not in down.stdout
    assert not is_held(layout.supervisor_lock)
    assert "runtime-expressclaw-1.0.0" in get_bundles(cluster, kubeconfig)
