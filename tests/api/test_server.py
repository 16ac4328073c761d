"""The process: where it listens, and how it says that it cannot start."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from hydracore_api.settings import Settings
from hydracore_history import History
from tests.api.support.files import make_settings
from tests.api.support.process import environment, listening, process


@pytest.fixture
async def migrated(tmp_path: Path) -> Settings:
    settings = make_settings(tmp_path)
    history = History(settings.database_url)
    await history.migrate()
    await history.close()
    return settings


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
"""


async def test_it_serves_without_a_cluster_and_says_so(migrated: Settings, tmp_path: Path) -> None:
    kubeconfig, listen_file = tmp_path / "kubeconfig", tmp_path / "url"
    kubeconfig.write_text(KUBECONFIG)
    env = environment(
        migrated,
        HYDRACORE_KUBECONFIG=str(kubeconfig),
        HYDRACORE_LISTEN_FILE=str(listen_file),
    )
    async with process(env) as running, asyncio.timeout(40):
        url = await listening(running, listen_file)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["database"]) == (503, "ok")
            assert (await client.get("/v1/instances")).status_code == 503
            assert (await client.get("/internal/v1/x")).status_code == 401
        running.send_signal(signal.SIGTERM)
        assert await running.wait() == 0


async def refused(env: dict[str, str]) -> str:
    async with process(env) as running:
        async with asyncio.timeout(40):
            _, stderr = await running.communicate()
        assert running.returncode == 1, stderr
        text = stderr.decode()
        assert "Traceback" not in text
        return text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"HYDRACORE_KUBECONFIG": "/absent/kubeconfig"}, ["/absent/kubeconfig", "no such file"]),
        ({"HYDRACORE_SERVER_SECRET_FILE": "/absent/s"}, ["server secret", "/absent/s"]),
        ({"HYDRACORE_CONTROL_PLANE_KEY_FILE": "/absent/k"}, ["control-plane key", "/absent/k"]),
        ({"HYDRACORE_TRUSTED_BUNDLE_KEYS_FILE": "/absent/t"}, ["/absent/t"]),
        ({"HYDRACORE_LISTEN": "nowhere"}, ["HYDRACORE_LISTEN", "host:port"]),
        ({"HYDRACORE_DATABASE_URL": "mysql://x/y"}, ["mysql", "sqlite+aiosqlite"]),
        ({"HYDRACORE_ARTIFACTS_URL": "ftp://x/y"}, ["ARTIFACTS_URL", "file:///"]),
    ],
)
async def test_it_says_why_it_cannot_start(
    migrated: Settings, tmp_path: Path, change: dict[str, str], words: list[str]
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    env = environment(migrated, **{"HYDRACORE_KUBECONFIG": str(kubeconfig), **change})
    text = await refused(env)
    assert text.startswith("The API cannot start: ")
    for word in words:
        assert word in text


async def test_a_taken_port_is_named(migrated: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = await refused(environment(migrated, HYDRACORE_LISTEN=f"127.0.0.1:{port}"))
    assert f"cannot listen on 127.0.0.1:{port}" in text
    assert "HYDRACORE_LISTEN" in text


async def test_a_database_that_was_not_migrated(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    text = await refused(environment(settings, HYDRACORE_KUBECONFIG=str(kubeconfig)))
    assert "hydracore migrate" in text


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        (":0", ("127.0.0.1", 0)),
        ("[::1]:9", ("::1", 9)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_addresses(tmp_path: Path, listen: str, address: tuple[str, int]) -> None:
    assert make_settings(tmp_path, listen=listen).address() == address


@pytest.mark.parametrize("listen", ["", "80", "host:", "host:x", "host:65536"])
def test_bad_addresses(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        make_settings(tmp_path, listen=listen).address()


def test_trusted_proxies_by_commas(tmp_path: Path, monkeypatch: Any) -> None:
    found = make_settings(tmp_path, trusted_proxies="10.0.0.0/8, fd00::/8")
    assert [str(network) for network in found.trusted_proxies] == ["10.0.0.0/8", "fd00::/8"]
    with pytest.raises(ValueError, match="network"):
        make_settings(tmp_path, trusted_proxies="everyone")
