"""A real S3 server that is away, silent, or does not let us in: said in words, without secrets."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from hydracore_artifacts import backend
from hydracore_artifacts.digest import digest_file
from hydracore_artifacts.errors import ArtifactMissing, StoreUnavailable
from hydracore_artifacts.location import Credentials, S3Access
from hydracore_artifacts.signing import BundleSigner, TrustedKeys, create_key_file
from hydracore_artifacts.store import ArtifactStore
from hydracore_crds.bundle import Artifact, BundleSpec
from tests.support.s3.server import S3Server

CONTENT = os.urandom(3 * 1024 * 1024)
INSTANCE = "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    path.write_bytes(CONTENT)
    return path


def calls(store: ArtifactStore, file: Path) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every call there is."""
    sha256 = digest_file(file).sha256

    async def read() -> None:
        async for _ in store.open_range(sha256):
            pass

    async def names() -> None:
        async for _ in store.instances.objects(INSTANCE):
            pass

    return {
        "put": lambda: store.put(sha256, file),
        "size": lambda: store.size(sha256),
        "read": read,
        "instance put": lambda: store.instances.put(INSTANCE, "x", b"x"),
        "instance list": names,
        "instance delete": lambda: store.instances.delete_all(INSTANCE),
    }


async def test_a_server_that_stops_and_comes_back(own_s3: S3Server, file: Path) -> None:
    store = ArtifactStore(f"s3://{own_s3.bucket()}/x", own_s3.access)
    for call in calls(store, file).values():
        await call()
    own_s3.stop()
    for name, call in calls(store, file).items():
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="the connection was refused"):
            await call()
        assert time.monotonic() - began < 5, name
    own_s3.start()
    for call in calls(store, file).values():
        await call()


async def test_a_server_that_is_silent_is_given_up(
    own_s3: S3Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "READ_TIMEOUT", backend.CONNECT_TIMEOUT / 6)
    monkeypatch.setattr(backend, "RETRIES", 1)
    store = ArtifactStore(f"s3://{own_s3.bucket()}", own_s3.access)
    await store.put(digest_file(file).sha256, file)
    own_s3.freeze()
    try:
        with pytest.raises(StoreUnavailable, match="it did not answer in time"):
            await store.size(digest_file(file).sha256)
    finally:
        own_s3.thaw()
    assert await store.size(digest_file(file).sha256) == len(CONTENT)


async def test_a_server_killed_while_it_is_read(own_s3: S3Server, file: Path) -> None:
    store = ArtifactStore(f"s3://{own_s3.bucket()}", own_s3.access)
    big = file.with_name("big")
    big.write_bytes(os.urandom(32 * 1024 * 1024))
    sha256 = digest_file(big).sha256
    await store.put(sha256, big)
    pieces = store.open_range(sha256)
    await anext(pieces)
    own_s3.stop()
    with pytest.raises(StoreUnavailable):
        async for _ in pieces:
            pass


@pytest.mark.parametrize("wrong", ["key", "secret", "bucket"])
async def test_who_is_not_let_in_is_told_so_without_the_key_pair(
    s3: S3Server, file: Path, wrong: str
) -> None:
    key, secret = s3.credentials.access_key_id, s3.credentials.secret_access_key
    mine = {
        "key": Credentials(f"{key}X", secret),
        "secret": Credentials(key, f"{secret}x"),
        "bucket": s3.credentials,
    }[wrong]
    bucket = "no-such-bucket" if wrong == "bucket" else s3.bucket()
    store = ArtifactStore(f"s3://{bucket}/x", replace(s3.access, credentials=mine))
    said = {"key": "XAdminUserNotFound", "secret": "refuses access", "bucket": "NoSuchBucket"}
    for name, call in calls(store, file).items():
        with pytest.raises(StoreUnavailable) as caught:
            await call()
        text = str(caught.value)
        assert said[wrong] in text, name
        assert key not in text
        assert secret not in text
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


async def test_an_address_that_nobody_has(file: Path) -> None:
    nowhere = S3Access("http://nowhere.invalid:9000", credentials=Credentials("AKX", "x"))
    with pytest.raises(StoreUnavailable, match="its host name is not known"):
        await ArtifactStore("s3://bucket", nowhere).size("0" * 64)


async def test_verifying_streams_and_says_what_is_wrong(own_s3: S3Server, tmp_path: Path) -> None:
    """The whole way that the operator goes: missing, there, changed below, away."""
    bucket = own_s3.bucket()
    store = ArtifactStore(f"s3://{bucket}", own_s3.access)
    signer = BundleSigner(create_key_file(tmp_path / "key.pem"))
    trusted = TrustedKeys((signer.trusted_key,))
    path = tmp_path / "bundle"
    path.write_bytes(os.urandom(1024 * 1024))
    digest = digest_file(path)
    uri = f"store:///sha256/{digest.sha256}"
    artifact = Artifact(uri=uri, sha256=digest.sha256, size_bytes=digest.size_bytes)
    spec = BundleSpec(
        component="runtime",
        slug="expressclaw",
        version="1.0.0",
        artifact=artifact,
        signature=signer.sign(digest.sha256),
    )
    with pytest.raises(ArtifactMissing, match="publish the bundle again"):
        await store.verify(spec, trusted)
    await store.put(digest.sha256, path)
    await store.verify(spec, trusted)
    own_s3.stop()
    with pytest.raises(StoreUnavailable):
        await store.verify(spec, trusted)


async def test_a_signed_url_is_good_for_that_object_and_a_while(s3: S3Server, file: Path) -> None:
    store = ArtifactStore(f"s3://{s3.bucket()}/x", s3.access)
    sha256 = digest_file(file).sha256
    await store.put(sha256, file)
    url, brief = await store.signed_url(sha256, 600), await store.signed_url(sha256, 1)
    assert s3.credentials.secret_access_key not in url
    async with httpx.AsyncClient() as client:
        whole = await client.get(url)
        assert (whole.status_code, whole.content) == (200, CONTENT)
        part = await client.get(url, headers={"Range": "bytes=1000-"})
        assert (part.status_code, part.content) == (206, CONTENT[1000:])
        other = await client.get(url.replace(sha256, "0" * 64))
        assert other.status_code == 403
        assert (await client.delete(url)).status_code == 403
        deadline = time.monotonic() + 10
        while (await client.get(brief, headers={"Range": "bytes=0-0"})).status_code != 403:
            assert time.monotonic() < deadline, "the URL does not expire"
            await asyncio.sleep(0.1)


async def test_a_folder_signs_nothing(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path.as_uri())
    assert not store.signs_urls
    with pytest.raises(ValueError, match="signs no URLs"):
        await store.signed_url("0" * 64, 60)


async def test_a_put_that_is_cancelled_leaves_nothing(s3: S3Server, tmp_path: Path) -> None:
    bucket = s3.bucket()
    store = ArtifactStore(f"s3://{bucket}", s3.access)
    big = tmp_path / "big"
    big.write_bytes(os.urandom(48 * 1024 * 1024))
    sha256 = digest_file(big).sha256
    putting = asyncio.create_task(store.put(sha256, big))
    uploads = s3.buckets / bucket / ".sgwtmp" / "multipart"
    deadline = time.monotonic() + 20
    while not (uploads.is_dir() and any(uploads.iterdir())):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    while any(uploads.iterdir()):
        assert time.monotonic() < deadline, "the upload goes on"
        await asyncio.sleep(0.01)
    with pytest.raises(ArtifactMissing):
        await store.size(sha256)


SHORT_LIVED = """
import asyncio
from hydracore_artifacts.settings import StoreSettings
from hydracore_artifacts.store import ArtifactStore

async def main():
    store = ArtifactStore.of(StoreSettings())
    await store.instances.put("0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11", "x", b"x")
    pieces = store.instances.open("0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11", "x")
    asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)

asyncio.run(main())
"""


def test_a_process_that_ends_right_after_a_call_ends_cleanly(s3: S3Server) -> None:
    """obstore's asynchronous calls let one in four to six such processes die of SIGABRT."""
    environment = {"PATH": os.defpath, **s3.environment(f"s3://{s3.bucket()}")}
    told = [sys.executable, "-c", SHORT_LIVED]
    started = [
        subprocess.Popen(told, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(8)
    ]
    for process in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
