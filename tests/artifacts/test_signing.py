"""Key files, signatures, and the list of trusted keys."""

import base64
import hashlib
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hydracore_artifacts.errors import KeyFileError, SignatureInvalid, UntrustedKey
from hydracore_artifacts.signing import (
    BundleSigner,
    TrustedKeys,
    create_key_file,
    load_key_file,
)

SHA256 = hashlib.sha256(b"bundle").hexdigest()


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    create_key_file(path)
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(KeyFileError, match="already there"):
        create_key_file(path)
    assert path.read_bytes() == before


def test_the_key_id_is_the_digest_of_the_public_key(tmp_path: Path) -> None:
    signer = BundleSigner(create_key_file(tmp_path / "key.pem"))
    raw = signer.private_key.public_key().public_bytes_raw()
    assert signer.key_id == hashlib.sha256(raw).hexdigest()[:16]
    assert BundleSigner.load(tmp_path / "key.pem").key_id == signer.key_id


def test_a_signature_is_over_the_raw_digest(tmp_path: Path) -> None:
    signer = BundleSigner(create_key_file(tmp_path / "key.pem"))
    signature = signer.sign(SHA256)
    signer.private_key.public_key().verify(base64.b64decode(signature.value), bytes.fromhex(SHA256))


def test_keys_overlap_while_one_replaces_another(tmp_path: Path) -> None:
    old = BundleSigner(create_key_file(tmp_path / "old.pem"))
    new = BundleSigner(create_key_file(tmp_path / "new.pem"))
    both = TrustedKeys((old.trusted_key, new.trusted_key))
    both.check(SHA256, old.sign(SHA256))
    both.check(SHA256, new.sign(SHA256))
    with pytest.raises(UntrustedKey, match="not trusted"):
        TrustedKeys((new.trusted_key,)).check(SHA256, old.sign(SHA256))
    with pytest.raises(SignatureInvalid):
        both.check("0" * 64, old.sign(SHA256))


def test_the_list_survives_a_round_trip(tmp_path: Path) -> None:
    signer = BundleSigner(create_key_file(tmp_path / "key.pem"))
    path = tmp_path / "trusted.json"
    TrustedKeys((signer.trusted_key,)).save(path)
    loaded = TrustedKeys.load(path)
    assert loaded.to_wire() == [signer.trusted_key.to_wire()]
    loaded.check(SHA256, signer.sign(SHA256))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("{}", "JSON list"),
        ('[{"keyId": "a"}]', "entry 1: needs the texts keyId and publicKey"),
        ('[{"keyId": "a", "publicKey": "!"}]', "entry 1: publicKey is not base64"),
        (json.dumps([{"keyId": "a", "publicKey": "YWJj"}]), "has 3 bytes"),
    ],
)
def test_a_bad_list_says_where_it_is_bad(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "trusted.json"
    path.write_text(content)
    with pytest.raises(KeyFileError, match=message):
        TrustedKeys.load(path)


def test_bad_key_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="hydracore bundle keygen"):
        load_key_file(tmp_path / "absent.pem")
    (tmp_path / "text").write_text("not a key")
    with pytest.raises(KeyFileError, match="PEM form"):
        load_key_file(tmp_path / "text")
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "rsa.pem").write_bytes(other)
    with pytest.raises(KeyFileError, match="another kind"):
        load_key_file(tmp_path / "rsa.pem")
    with pytest.raises(KeyFileError, match="does not exist"):
        TrustedKeys.load(tmp_path / "absent.json")
