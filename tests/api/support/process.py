"""The API as a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from hydracore_api.settings import Settings
from tests.api.support.files import OPS_TOKEN

START_SECONDS = 40.0


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """Return the variables from which a process gets these settings."""
    return {
        "PATH": os.defpath,
        "HYDRACORE_DATABASE_URL": settings.database_url,
        "HYDRACORE_ARTIFACTS_URL": settings.artifacts_url,
        "HYDRACORE_CONTROL_PLANE_KEY_FILE": str(settings.control_plane_key_file),
        "HYDRACORE_TRUSTED_BUNDLE_KEYS_FILE": str(settings.trusted_bundle_keys_file),
        "HYDRACORE_SERVER_SECRET_FILE": str(settings.server_secret_file),
        "HYDRACORE_OPS_TOKEN": OPS_TOKEN,
        "HYDRACORE_LISTEN": "127.0.0.1:0",
        **more,
    }


@asynccontextmanager
async def process(
    env: dict[str, str], stderr: IO[bytes] | int = asyncio.subprocess.PIPE
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the API with its output in pipes; it is killed at the end if it still runs."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hydracore_api.server",
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def listening(started: asyncio.subprocess.Process, listen_file: Path) -> str:
    """Wait until it says where it listens; return that URL, which its file has too."""
    assert started.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        said = ""
        while not said.startswith("HydraCore API listens"):
            said = (await started.stdout.readline()).decode()
            assert said, "the API ended"
    url = listen_file.read_text().strip()  # noqa: ASYNC240 - a line
    assert said == f"HydraCore API listens on {url}\n"
    return url
