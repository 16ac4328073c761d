"""Bundles by digest: ranges, conditions, flat memory."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from hydracore_api.agent.bundles import serve
from hydracore_api.agent.ranges import parse_range
from hydracore_api.errors import RangeNotSatisfiable
from tests.api.agent.test_agent import armed, enrol
from tests.api.support.world import World


async def stored(world: World, tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    await world.services.artifacts.put(digest, path)
    return digest


async def test_bundles_and_ranges(world: World, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    digest = await stored(world, tmp_path, content)
    _, token = await armed(world)
    path = f"/agent/v1/bundles/{digest}"

    async def get(**headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await world.client.get(path, headers={**token, **named})

    whole = await get()
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["ETag"] == f'"{digest}"'
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["Content-Length"] == str(len(content))
    for asked, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, 10240),
        ("bytes=-10", 10230, 10240),
        ("bytes=10239-99999", 10239, 10240),
    ):
        part = await get(Range=asked)
        assert (part.status_code, part.content) == (206, content[start:end]), asked
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/10240"
        assert part.headers["Content-Length"] == str(end - start)
    outside = await get(Range="bytes=10240-")
    assert outside.status_code == 416
    assert outside.headers["Content-Range"] == "bytes */10240"
    for ignored in ("bytes=5-2", "bytes=0-1,3-4", "items=0-1", "bytes=x-y", "bytes=-"):
        assert (await get(Range=ignored)).status_code == 200
    assert (await get(If_None_Match=f'"{digest}"')).status_code == 304
    assert (await get(Range="bytes=0-1", If_Range='"other"')).status_code == 200
    assert (await get(Range="bytes=0-1", If_Range=f'"{digest}"')).status_code == 206
    unknown = await world.client.get(f"/agent/v1/bundles/{'0' * 64}", headers=token)
    assert unknown.status_code == 404
    malformed = await world.client.get("/agent/v1/bundles/XYZ", headers=token)
    assert malformed.status_code == 422


async def test_an_agent_key_downloads_too(world: World, tmp_path: Path) -> None:
    digest = await stored(world, tmp_path, b"x" * 10)
    id_, token = await armed(world)
    key = {"Authorization": f"Bearer {(await enrol(world, token, id_)).json()['agent_key']}"}
    answer = await world.client.get(f"/agent/v1/bundles/{digest}", headers=key)
    assert (answer.status_code, answer.content) == (200, b"x" * 10)


async def test_memory_stays_flat_while_a_bundle_is_served(world: World, tmp_path: Path) -> None:
    size = 48 * 1024 * 1024
    digest = await stored(world, tmp_path, bytes(size))
    received, peak = 0, 0

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: dict[str, Any]) -> None:
        nonlocal received, peak
        received += len(message.get("body", b""))
        peak = max(peak, tracemalloc.get_traced_memory()[0])

    scope = {"type": "http", "headers": [], "method": "GET", "path": "/"}
    response = await serve(world.services, Request(scope), digest)
    tracemalloc.start()
    try:
        await response(scope, receive, send)  # type: ignore[arg-type]
    finally:
        tracemalloc.stop()
    assert received == size
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 10)),
        ("bytes=9-9", (9, 10)),
        ("bytes=-20", (0, 10)),
        (" bytes=1-3 ", (1, 4)),
        ("bytes=\u0663-\u0665", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=11-12", "bytes=-0"])
def test_ranges_outside(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


async def test_an_empty_store_folder_is_unavailable(world: World, tmp_path: Path) -> None:
    _, token = await armed(world)
    (tmp_path / "artifacts").rename(tmp_path / "away")
    answer = await world.client.get(f"/agent/v1/bundles/{'0' * 64}", headers=token)
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text
