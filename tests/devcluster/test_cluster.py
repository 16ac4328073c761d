"""A real control plane: starting, restarting, failing, and leaving nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_devcluster import ports
from hydracore_devcluster.assets import Assets, from_folder
from hydracore_devcluster.client import Api, ApiError
from hydracore_devcluster.cluster import DevCluster
from hydracore_devcluster.errors import PortTakenError, StartFailedError, StateInUseError
from tests.conftest import TestCluster
from tests.devcluster.fakes import binaries, program
from tests.devcluster.test_process import gone

pytestmark = pytest.mark.cluster

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}
PROCESSES = ("etcd", "kube-apiserver", "kube-controller-manager")


@pytest_asyncio.fixture(loop_scope="session")
async def own(tmp_path: Path, assets: Assets) -> AsyncIterator[DevCluster]:
    """A cluster for this test alone, not started yet."""
    cluster = DevCluster(tmp_path / "state", assets)
    yield cluster
    await cluster.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def envtest(tmp_path: Path, assets: Assets) -> AsyncIterator[DevCluster]:
    """A cluster of envtest's binaries, which have no controller manager; not started yet."""
    folder = tmp_path / "envtest"
    folder.mkdir()
    (folder / "etcd").symlink_to(assets.etcd)
    (folder / "kube-apiserver").symlink_to(assets.kube_apiserver)
    (folder / "kubectl").symlink_to(assets.kubectl)
    cluster = DevCluster(tmp_path / "state", from_folder(folder))
    yield cluster
    await cluster.stop()


def commands_with(text: str) -> list[str]:
    """Return the command lines of all processes that contain a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command:
            found.append(command)
    return found


async def test_a_restart_keeps_data_and_address_and_a_crash_is_noticed(own: DevCluster) -> None:
    await own.start()
    pids, server = own.pids, own.server
    assert tuple(pids) == PROCESSES
    async with await Api.connect(own.admin_kubeconfig) as api:
        await api.json("POST", "/api/v1/namespaces", NAMESPACE)
    before = own.admin_kubeconfig.read_bytes()

    await own.stop()
    assert all(gone(pid, 0.1) for pid in pids.values())
    assert commands_with(str(own.state.root)) == []

    await own.start()
    assert own.server == server
    assert own.admin_kubeconfig.read_bytes() == before
    async with await Api.connect(own.admin_kubeconfig) as api:
        await api.json("GET", "/api/v1/namespaces/kept")
    os.kill(own.pids["etcd"], signal.SIGKILL)
    assert "etcd ended with status -9" in str(await own.failure())


async def test_the_api_server_comes_back_after_a_crash(
    cluster: TestCluster, admin_api: Api, namespace: str
) -> None:
    pids, server = cluster.dev.pids, cluster.dev.server
    await cluster.restart_apiserver()
    await admin_api.json("GET", f"/api/v1/namespaces/{namespace}")
    assert cluster.dev.server == server
    assert cluster.dev.pids["kube-apiserver"] != pids["kube-apiserver"]
    assert cluster.dev.pids["etcd"] == pids["etcd"]


def test_everything_dies_with_the_process_that_started_it(tmp_path: Path, assets: Assets) -> None:
    folder = str(assets.etcd.parent)
    code = (
        "import asyncio\n"
        "from pathlib import Path\n"
        "from hydracore_devcluster.assets import from_folder\n"
        "from hydracore_devcluster.cluster import DevCluster\n"
        "async def main():\n"
        f"    cluster = DevCluster(Path({str(tmp_path)!r}), from_folder(Path({folder!r})))\n"
        "    await cluster.start()\n"
        "    print(*cluster.pids.values(), flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
        parent.wait(5)
    assert len(pids) >= 2
    assert all(gone(pid) for pid in pids)
    assert commands_with(str(tmp_path)) == []


def test_it_listens_on_loopback_only(cluster: TestCluster) -> None:
    sockets = {
        str(link.readlink())
        for pid in cluster.dev.pids.values()
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if os.path.lexists(link)
    }
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in tables.splitlines() if "local_address" not in line]
    listening = {r[1].split(":")[0] for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in sockets}
    assert listening == {"0100007F"}


async def test_strangers_are_refused(cluster: TestCluster, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.yaml"
    text = cluster.dev.admin_kubeconfig.read_text()
    token = cluster.dev.state.tokens.read_text().split(",", 1)[0]
    stranger.write_text(text.replace(token, "guessed"))
    async with await Api.connect(stranger) as api:
        with pytest.raises(ApiError) as caught:
            await api.text("GET", "/readyz")
    assert caught.value.status == 401


async def test_secrets_are_for_the_owners_eyes(cluster: TestCluster) -> None:
    state = cluster.dev.state
    secret = [state.tokens, *(state.root / "kubeconfigs").iterdir(), *state.certificates.iterdir()]
    assert {p.stat().st_mode & 0o777 for p in secret} == {0o600}


async def test_one_folder_holds_one_cluster(cluster: TestCluster, assets: Assets) -> None:
    root = cluster.dev.state.root
    with pytest.raises(StateInUseError, match=f"another dev cluster runs on {root}"):
        await DevCluster(root, assets).start()
    assert all(not gone(pid, 0.05) for pid in cluster.dev.pids.values())


async def test_a_process_that_ends_is_quoted(tmp_path: Path) -> None:
    folder = binaries(tmp_path / "bin", "etcd", "kube-apiserver", "kubectl")
    program(folder / "etcd", "echo 'database is corrupt' >&2; exit 3")
    broken = DevCluster(tmp_path / "state", from_folder(folder))
    with pytest.raises(StartFailedError) as caught:
        await broken.start()
    assert "etcd ended with status 3" in str(caught.value)
    assert "etcd: database is corrupt" in str(caught.value)
    assert str(broken.state.logs / "etcd.log") in str(caught.value)
    assert broken.pids == {}


async def test_a_process_that_does_not_get_ready_is_quoted_and_ended(tmp_path: Path) -> None:
    folder = binaries(tmp_path / "bin", "etcd", "kube-apiserver", "kubectl")
    program(folder / "etcd", "echo 'thinking'; exec sleep 600")
    slow = DevCluster(tmp_path / "state", from_folder(folder), ready_seconds=0.5)
    with pytest.raises(StartFailedError) as caught:
        await slow.start()
    assert "etcd was not ready after 0 s" in str(caught.value)
    assert "etcd: thinking" in str(caught.value)
    assert commands_with(str(folder)) == []


async def test_ports_that_stay_taken_end_the_tries(tmp_path: Path) -> None:
    folder = binaries(tmp_path / "bin", "etcd", "kube-apiserver", "kubectl")
    script = f"echo try >> {tmp_path}/tries; echo 'listen: address already in use'; exit 1"
    program(folder / "etcd", script)
    unlucky = DevCluster(tmp_path / "state", from_folder(folder))
    with pytest.raises(PortTakenError, match="found its port taken by another process"):
        await unlucky.start()
    assert (tmp_path / "tries").read_text().count("try") == 5


async def test_a_port_that_is_taken_meanwhile_is_chosen_again(
    envtest: DevCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ports.choose
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        chosen: list[list[int]] = []

        def choose(count: int) -> list[int]:
            found = real(count)
            if not chosen:
                found[0] = taken.getsockname()[1]
            chosen.append(found)
            return found

        monkeypatch.setattr(ports, "choose", choose)
        await envtest.start()
    assert len(chosen) == 2
    assert envtest.server.endswith(f":{chosen[1][0]}")
    # Without a controller manager the rest runs all the same, and what is not available is said.
    assert tuple(envtest.pids) == ("etcd", "kube-apiserver")
    assert "kube-controller-manager is not there" in str(envtest.missing)
