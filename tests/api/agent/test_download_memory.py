"""The API's memory while many fetch a bundle at once, as the kernel counts it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from hydracore_artifacts.location import S3Access
from hydracore_artifacts.store import ArtifactStore
from tests.api.support.downloads import api_process, fetch_many
from tests.api.support.files import make_settings
from tests.api.support.memory import peak_mib, reset_peak, resident_mib
from tests.support.s3.server import S3Server

CLIENTS = 20
SIZE = 16 * 1024 * 1024
MOST_GROWTH_MIB = 48
"""320 MiB go out, and 20 pieces of 256 KiB with their copies are in flight. A growth with the
bundle's size, or one bundle a client, would be above it."""


@pytest.mark.parametrize("kind", ["folder", "s3"])
async def test_it_stays_flat(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url, access, env = (tmp_path / "artifacts").as_uri(), S3Access(), {}
    if kind == "s3":
        server: S3Server = request.getfixturevalue("s3")
        url, access = f"s3://{server.bucket()}", server.access
        env = server.environment(url)
    store, digests = ArtifactStore(url, access), []
    for content in (os.urandom(1000), os.urandom(SIZE)):
        path = tmp_path / "bundle"
        path.write_bytes(content)
        digests.append(hashlib.sha256(content).hexdigest())
        await store.put(digests[-1], path)
    small, big = digests
    async with (
        asyncio.timeout(120),
        api_process(make_settings(tmp_path, artifacts_url=url), tmp_path, env) as api,
    ):
        await fetch_many(api.url, small, CLIENTS)
        idle = resident_mib(api.pid)
        reset_peak(api.pid)
        got = await fetch_many(api.url, big, CLIENTS)
        growth = peak_mib(api.pid) - idle
    assert {(one.sha256, one.size) for one in got} == {(big, SIZE)}
    assert len(got) == CLIENTS
    assert growth < MOST_GROWTH_MIB, f"{growth:.0f} MiB for {CLIENTS} clients"
