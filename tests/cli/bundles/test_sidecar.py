"""Signature files beside bundles."""

import tarfile
from pathlib import Path, PurePosixPath

import pytest

from hydracore_artifacts.build.archive import write_archive
from hydracore_artifacts.errors import DigestMismatch, UntrustedKey
from hydracore_artifacts.signing import BundleSigner, TrustedKeys, create_key_file
from hydracore_cli.bundles.sidecar import SignedBundle, sidecar_of, sign_bundle
from hydracore_cli.errors import CliError

MANIFEST = b'{"component": "runtime", "slug": "expressclaw", "version": "1.0.0"}'


@pytest.fixture
def signer(tmp_path: Path) -> BundleSigner:
    return BundleSigner(create_key_file(tmp_path / "key.pem"))


def bundle(tmp_path: Path, manifest: bytes = MANIFEST) -> Path:
    path = tmp_path / "bundle.tar.gz"
    source, named = PurePosixPath("lib/x.py"), PurePosixPath("manifest.json")
    write_archive(path, {source: b"x = 1\n", named: manifest})
    return path


def test_sign_then_check(tmp_path: Path, signer: BundleSigner) -> None:
    path = bundle(tmp_path)
    signed = sign_bundle(path, signer)
    assert SignedBundle.load(path) == signed
    assert (signed.component, signed.slug, signed.version) == ("runtime", "expressclaw", "1.0.0")
    signed.check(path, TrustedKeys((signer.trusted_key,)))


def test_a_changed_bundle_and_a_stranger_are_refused(tmp_path: Path, signer: BundleSigner) -> None:
    path = bundle(tmp_path)
    signed = sign_bundle(path, signer)
    stranger = BundleSigner(create_key_file(tmp_path / "stranger.pem"))
    with pytest.raises(UntrustedKey):
        signed.check(path, TrustedKeys((stranger.trusted_key,)))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DigestMismatch, match="hydracore bundle sign"):
        signed.check(path, TrustedKeys((signer.trusted_key,)))


def test_what_is_no_bundle_is_refused(tmp_path: Path, signer: BundleSigner) -> None:
    with pytest.raises(CliError, match="hydracore bundle build"):
        sign_bundle(tmp_path / "absent", signer)
    text = tmp_path / "text"
    text.write_text("no archive")
    with pytest.raises(CliError, match="not a bundle"):
        sign_bundle(text, signer)
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz"):
        pass
    with pytest.raises(CliError, match=r"no readable manifest\.json"):
        sign_bundle(tmp_path / "empty.tar.gz", signer)
    with pytest.raises(CliError, match="component, slug and version"):
        sign_bundle(bundle(tmp_path, b'{"component": "runtime"}'), signer)


def test_a_missing_or_broken_signature_file_says_what_to_do(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    with pytest.raises(CliError, match="sign the bundle first"):
        SignedBundle.load(path)
    sidecar_of(path).write_text("{}")
    with pytest.raises(CliError, match="not a signature file"):
        SignedBundle.load(path)
