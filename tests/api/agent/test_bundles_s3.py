"""Bundles out of a real S3 server: through the API, or by a signed URL."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from hydracore_agent.net import connect
from hydracore_agent.orders.control import Control
from hydracore_agent.orders.download import Downloader, Source
from hydracore_agent.settings import Tuning
from hydracore_api.services import Services
from hydracore_artifacts.errors import StoreUnavailable
from tests.api.agent.test_agent import armed
from tests.api.support.files import make_settings
from tests.api.support.serving import serving
from tests.api.support.world import World, close_world, make_world
from tests.support.s3.server import REGION, S3Server

CONTENT = os.urandom(3 * 1024 * 1024 + 17)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PATH = f"/agent/v1/bundles/{DIGEST}"


async def make(folder: Path, server: S3Server, **more: object) -> World:
    world = await make_world(
        folder,
        artifacts_url=f"s3://{server.bucket()}/bundles",
        artifacts_s3_endpoint=server.endpoint,
        artifacts_s3_region=REGION,
        artifacts_s3_access_key_id=server.credentials.access_key_id,
        artifacts_s3_secret_access_key=SecretStr(server.credentials.secret_access_key),
        **more,
    )
    world.tenant("acme")
    (folder / "bundle").write_bytes(CONTENT)
    await world.services.artifacts.put(DIGEST, folder / "bundle")
    return world


@pytest.fixture
async def through(own_s3: S3Server, tmp_path: Path) -> AsyncIterator[World]:
    world = await make(tmp_path, own_s3)
    yield world
    await close_world(world)


@pytest.fixture
async def signed(own_s3: S3Server, tmp_path: Path) -> AsyncIterator[World]:
    world = await make(tmp_path, own_s3, artifacts_signed_urls=True)
    yield world
    await close_world(world)


async def test_whole_and_in_ranges_through_the_api(through: World) -> None:
    _, token = await armed(through)
    whole = await through.client.get(PATH, headers=token)
    assert (whole.status_code, whole.content) == (200, CONTENT)
    part = await through.client.get(PATH, headers={**token, "Range": "bytes=3000000-"})
    assert (part.status_code, part.content) == (206, CONTENT[3000000:])
    unknown = await through.client.get(f"/agent/v1/bundles/{'0' * 64}", headers=token)
    assert unknown.status_code == 404


@pytest.fixture(params=["through", "signed"])
def either(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


async def test_while_the_store_is_away_agents_are_told_to_come_again(
    either: World, own_s3: S3Server
) -> None:
    _, token = await armed(either)
    own_s3.stop()
    away = await either.client.get(PATH, headers=token)
    assert (away.status_code, away.headers["Retry-After"]) == (503, "2")
    for secret in (own_s3.endpoint, own_s3.credentials.access_key_id, "s3://"):
        assert secret not in away.text
    own_s3.start()
    assert (await either.client.get(PATH, headers=token)).status_code in {200, 307}


async def test_agents_are_sent_to_the_store_with_a_url_that_ends(
    signed: World, own_s3: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, token = await armed(signed)
    answer = await signed.client.get(PATH, headers={**token, "Range": "bytes=5-"})
    assert answer.status_code == 307
    assert answer.content == b""
    assert answer.headers["Cache-Control"] == "no-store"
    parts = urlsplit(answer.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}" == own_s3.endpoint
    assert parts.path.endswith(f"/bundles/sha256/{DIGEST}")
    query = parse_qs(parts.query)
    assert query["X-Amz-Expires"] == ["300"]
    assert own_s3.credentials.secret_access_key not in answer.headers["Location"]
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("hydracore")]
    assert not any(query["X-Amz-Signature"][0] in text for text in ours)
    async with httpx.AsyncClient() as client:
        part = await client.get(answer.headers["Location"], headers={"Range": "bytes=5-"})
    assert (part.status_code, part.content) == (206, CONTENT[5:])


async def test_without_a_key_or_a_bundle_there_is_no_url(signed: World) -> None:
    _, token = await armed(signed)
    assert (await signed.client.get(PATH)).status_code == 401
    unknown = await signed.client.get(f"/agent/v1/bundles/{'0' * 64}", headers=token)
    assert unknown.status_code == 404
    known = await signed.client.get(PATH, headers={**token, "If-None-Match": f'"{DIGEST}"'})
    assert known.status_code == 304


async def test_a_real_agent_s_download_goes_there_and_survives_the_store_s_end(
    signed: World, own_s3: S3Server, tmp_path: Path
) -> None:
    """The store is away at first, and half of the file is here from before."""
    _, token = await armed(signed)
    target = tmp_path / "part"
    target.write_bytes(CONTENT[:1_000_000])
    own_s3.stop()
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        own_s3.start()

    loader = Downloader(
        lambda url: connect(url, 20), Tuning(retry_first=0.1, retry_most=1), sleep=sleep
    )
    control = Control(datetime.now(UTC) + timedelta(minutes=2), lambda: datetime.now(UTC))
    async with serving(signed) as url:
        source = Source(url + PATH, len(CONTENT), token["Authorization"].removeprefix("Bearer "))
        await loader.pull(source, target, control)
    assert target.read_bytes() == CONTENT
    assert len(waited) == 1


@pytest.mark.parametrize("endpoint", ["http://minio.example:9000", None])
async def test_signed_urls_without_tls_or_a_bucket_are_refused_at_the_start(
    tmp_path: Path, endpoint: str | None
) -> None:
    place = (
        {"artifacts_url": "s3://bucket/x", "artifacts_s3_endpoint": endpoint} if endpoint else {}
    )
    settings = make_settings(tmp_path, artifacts_signed_urls=True, **place)
    with pytest.raises(ValueError, match="HYDRACORE_ARTIFACTS_SIGNED_URLS needs an s3:// store"):
        await Services.open(settings)


async def test_a_signature_that_cannot_be_had_is_a_503(
    signed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_sha256: str, _seconds: float) -> str:
        raise StoreUnavailable("no credentials")

    _, token = await armed(signed)
    monkeypatch.setattr(signed.services.artifacts, "signed_url", refuse)
    answer = await signed.client.get(PATH, headers=token)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
