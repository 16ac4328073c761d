"""The control plane's key: files, kid, derived tokens."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64decode
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from hydracore_agentclient import ControlPlaneKey, KeyFileError, bootstrap_token


def _pem(
    key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None
) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_a_key_from_a_file_signs_what_its_public_key_verifies(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(_pem(Ed25519PrivateKey.generate()))
    key = ControlPlaneKey.from_pem(path)
    raw = b64decode(key.public_key_base64)
    assert key.kid == hashlib.sha256(raw).hexdigest()[:16]
    token = key.sign({"a": 1}, "hc-control+jwt")
    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "typ": "hc-control+jwt",
        "kid": key.kid,
    }
    public = Ed25519PublicKey.from_public_bytes(raw)
    assert jwt.decode(token, public, algorithms=["EdDSA"]) == {"a": 1}


def test_key_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(KeyFileError, match="HYDRACORE_CONTROL_PLANE_KEY_FILE"):
        ControlPlaneKey.from_pem(path)
    for content in (
        b"",
        b"no key",
        _pem(Ed25519PrivateKey.generate(), b"pass"),
        _pem(ec.generate_private_key(ec.SECP256R1())),
    ):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match=str(path)):
            ControlPlaneKey.from_pem(path)


def test_nothing_shows_the_private_key() -> None:
    private = Ed25519PrivateKey.generate()
    key = ControlPlaneKey(private)
    assert private.private_bytes_raw().hex() not in repr(key)
    assert repr(key) == f"ControlPlaneKey(kid={key.kid!r})"


def test_bootstrap_tokens_are_derived_again_and_differ_by_instance_counter_and_key() -> None:
    key = ControlPlaneKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    token = bootstrap_token(key, "a", 1)
    # Fixed for ever: a server created before an upgrade must be able to enrol after it.
    assert token == "hcb_6eoIKDMyf0nNXeSZQhtAwqE8lnAXIiokg2MO4FkuFG4"
    extracted = hmac.new(bytes(32), bytes(range(32)), "sha256").digest()  # RFC 5869
    secret = hmac.new(extracted, b"hydracore bootstrap token\x01", "sha256").digest()
    assert urlsafe_b64decode(token[4:] + "=") == hmac.new(secret, b"a:1", "sha256").digest()
    others = {
        bootstrap_token(key, "a", 2),
        bootstrap_token(key, "b", 1),
        bootstrap_token(ControlPlaneKey(Ed25519PrivateKey.generate()), "a", 1),
    }
    assert len(others | {token}) == 4
