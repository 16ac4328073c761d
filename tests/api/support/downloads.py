"""Many bundles fetched at once from a real API process, each checked, nothing kept."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hydracore_api.auth.agents import hash_token
from hydracore_api.settings import Settings
from hydracore_history import History
from tests.api.support.files import OPS_TOKEN

READ = 256 * 1024
STALL_SECONDS = 120
START_SECONDS = 60
INSTANCE = "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11"
TOKEN = "hcb_" + "k" * 43
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
"""
"""Nobody is there: downloads need no cluster."""


@dataclass(frozen=True)
class Fetched:
    """One download: the digest of what came, and who sent it (``host:port``)."""

    sha256: str
    size: int
    host: str
    seconds: float


@dataclass(frozen=True)
class ApiProcess:
    """A real API, on its own."""

    url: str
    pid: int


@asynccontextmanager
async def api_process(
    settings: Settings, folder: Path, extra: Mapping[str, str]
) -> AsyncIterator[ApiProcess]:
    """Run ``hydracore_api.server``; agents' calls with :data:`TOKEN` are let in."""
    await _let_in(settings)
    kubeconfig, listen_file = folder / "kubeconfig", folder / "url"
    kubeconfig.write_text(KUBECONFIG)
    listen_file.unlink(missing_ok=True)
    env = {
        "PATH": os.defpath,
        "HYDRACORE_KUBECONFIG": str(kubeconfig),
        "HYDRACORE_DATABASE_URL": settings.database_url,
        "HYDRACORE_ARTIFACTS_URL": settings.artifacts_url,
        "HYDRACORE_CONTROL_PLANE_KEY_FILE": str(settings.control_plane_key_file),
        "HYDRACORE_TRUSTED_BUNDLE_KEYS_FILE": str(settings.trusted_bundle_keys_file),
        "HYDRACORE_SERVER_SECRET_FILE": str(settings.server_secret_file),
        "HYDRACORE_OPS_TOKEN": OPS_TOKEN,
        "HYDRACORE_LISTEN": "127.0.0.1:0",
        "HYDRACORE_LISTEN_FILE": str(listen_file),
        **extra,
    }
    with (folder / "api.log").open("ab") as log:
        command = (sys.executable, "-m", "hydracore_api.server")
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not listen_file.exists():
                assert process.returncode is None, (folder / "api.log").read_text()
                await asyncio.sleep(0.05)
        yield ApiProcess(listen_file.read_text().strip(), process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _let_in(settings: Settings) -> None:
    history = History(settings.database_url)
    try:
        await history.migrate()
        armed = {"namespace": "acme", "name": "one", "token_hash": hash_token(TOKEN)}
        await history.credentials.arm(INSTANCE, **armed)
    finally:
        await history.close()


async def fetch_many(url: str, sha256: str, clients: int) -> list[Fetched]:
    """Fetch a bundle with so many clients at once."""
    path = f"{url}/agent/v1/bundles/{sha256}"
    return list(await asyncio.gather(*(_fetch(path, TOKEN) for _ in range(clients))))


async def _fetch(url: str, token: str | None) -> Fetched:
    """Fetch as an agent does: sent elsewhere, it goes there, without its key."""
    began = time.monotonic()
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        key = f"Authorization: Bearer {token}\r\n" if token else ""
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        asked = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{key}Connection: close\r\n\r\n"
        writer.write(asked.encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status, headers = int(head.split()[1]), _headers(head)
        if status == 307 and token is not None:
            return await _fetch(headers["location"], None)
        assert status == 200, head
        left = int(headers["content-length"])
        hasher, size = hashlib.sha256(), 0
        while left > 0:
            async with asyncio.timeout(STALL_SECONDS):
                piece = await reader.read(min(READ, left))
            assert piece, f"cut off {left} bytes before the end"
            hasher.update(piece)
            size, left = size + len(piece), left - len(piece)
    finally:
        writer.close()
    return Fetched(hasher.hexdigest(), size, parts.netloc, time.monotonic() - began)


def _headers(head: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.splitlines()[1:] if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
