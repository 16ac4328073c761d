"""The artifact store: the same on a local folder and on a real S3 server."""

import hashlib
from pathlib import Path

import pytest

from hydracore_artifacts.digest import PIECE, digest_file
from hydracore_artifacts.errors import (
    ArtifactMissing,
    DigestMismatch,
    SignatureInvalid,
    StoreUnavailable,
    UntrustedKey,
)
from hydracore_artifacts.signing import BundleSigner, TrustedKeys, create_key_file
from hydracore_artifacts.store import ArtifactStore, artifact_uri, digest_of_uri
from hydracore_crds.bundle import Artifact, BundleSpec
from tests.artifacts.conftest import Place

CONTENT = bytes(range(256)) * 5000
INSTANCE = "0d5f4a1c-5b7e-4c7e-9a53-3f1f6f0f8b11"


@pytest.fixture
def signer(tmp_path: Path) -> BundleSigner:
    return BundleSigner(create_key_file(tmp_path / "signing.pem"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(CONTENT)
    return path


async def published(store: ArtifactStore, signer: BundleSigner, file: Path) -> BundleSpec:
    digest = digest_file(file)
    uri = await store.put(digest.sha256, file)
    return BundleSpec(
        component="runtime",
        slug="expressclaw",
        version="1.0.0",
        artifact=Artifact(uri=uri, sha256=digest.sha256, size_bytes=digest.size_bytes),
        signature=signer.sign(digest.sha256),
    )


async def read(store: ArtifactStore, sha256: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.open_range(sha256, start, end)])


def test_digest_counts_bytes_over_several_pieces(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x" * (2 * PIECE + 1))
    digest = digest_file(path)
    assert digest.size_bytes == 2 * PIECE + 1
    assert digest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


async def test_put_then_read_whole_and_in_ranges(store: ArtifactStore, file: Path) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert await store.put(sha256, file) == artifact_uri(sha256)
    assert await store.put(sha256, file) == artifact_uri(sha256), "a repeated put changes nothing"
    assert await store.size(sha256) == len(CONTENT)
    assert await read(store, sha256) == CONTENT
    assert await read(store, sha256, 10) == CONTENT[10:]
    assert await read(store, sha256, 10, 20) == CONTENT[10:20]
    assert await read(store, sha256, len(CONTENT) - 1, len(CONTENT) + 99) == CONTENT[-1:]


async def test_put_refuses_a_file_with_another_digest(store: ArtifactStore, file: Path) -> None:
    with pytest.raises(DigestMismatch, match=hashlib.sha256(CONTENT).hexdigest()):
        await store.put("0" * 64, file)
    with pytest.raises(ArtifactMissing):
        await store.size("0" * 64)


async def test_a_put_leaves_nothing_but_the_artifact(
    store: ArtifactStore, file: Path, place: Place
) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    await store.put(sha256, file)
    assert place.files() == [f"sha256/{sha256}"]


@pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 5), (6, 5)])
async def test_an_empty_or_reversed_range_is_refused(
    store: ArtifactStore, start: int, end: int | None
) -> None:
    with pytest.raises(ValueError, match="not a range"):
        await read(store, "0" * 64, start, end)


async def test_a_vanished_store_is_not_taken_for_a_missing_artifact(
    store: ArtifactStore, place: Place
) -> None:
    await store.instances.put(INSTANCE, "x", b"")
    with pytest.raises(ArtifactMissing, match="publish the bundle again"):
        await read(store, "0" * 64)
    place.vanish()
    for asked in (
        store.size("0" * 64),
        read(store, "0" * 64),
        store.instances.delete_all(INSTANCE),
    ):
        with pytest.raises(
            StoreUnavailable, match=r"does not answer: (it is not there|NoSuchBucket)"
        ):
            await asked


@pytest.mark.parametrize("sha256", ["../../etc/passwd", "A" * 64, "0" * 63])
async def test_what_is_no_digest_never_becomes_a_path(store: ArtifactStore, sha256: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        await store.size(sha256)


def test_a_folder_that_cannot_be_made_is_store_unavailable(file: Path) -> None:
    with pytest.raises(StoreUnavailable):
        ArtifactStore((file / "below").as_uri())


def test_a_uri_of_another_store_names_no_digest() -> None:
    assert digest_of_uri(artifact_uri("0" * 64)) == "0" * 64
    for uri in ("https://example.org/x", "store:///sha256/xyz"):
        with pytest.raises(ArtifactMissing):
            digest_of_uri(uri)


async def test_verify_accepts_what_a_trusted_key_signed(
    store: ArtifactStore, signer: BundleSigner, file: Path
) -> None:
    spec = await published(store, signer, file)
    await store.verify(spec, TrustedKeys((signer.trusted_key,)))


async def test_verify_names_what_is_wrong(
    store: ArtifactStore, signer: BundleSigner, file: Path, place: Place, tmp_path: Path
) -> None:
    spec = await published(store, signer, file)
    trusted = TrustedKeys((signer.trusted_key,))
    stranger = BundleSigner(create_key_file(tmp_path / "stranger.pem"))

    with pytest.raises(UntrustedKey, match=signer.key_id):
        await store.verify(spec, TrustedKeys((stranger.trusted_key,)))
    forged = stranger.sign(spec.artifact.sha256).model_copy(update={"key_id": signer.key_id})
    with pytest.raises(SignatureInvalid):
        await store.verify(spec.model_copy(update={"signature": forged}), trusted)
    short = spec.artifact.model_copy(update={"size_bytes": 7})
    with pytest.raises(DigestMismatch, match="bytes, not 7"):
        await store.verify(spec.model_copy(update={"artifact": short}), trusted)
    other = spec.artifact.model_copy(update={"uri": artifact_uri("0" * 64)})
    with pytest.raises(DigestMismatch, match="another digest"):
        await store.verify(spec.model_copy(update={"artifact": other}), trusted)

    stored = place.root / "sha256" / spec.artifact.sha256
    stored.write_bytes(b"!" + CONTENT[1:])
    with pytest.raises(DigestMismatch, match="has the digest"):
        await store.verify(spec, trusted)
    stored.unlink()
    with pytest.raises(ArtifactMissing):
        await store.verify(spec, trusted)
