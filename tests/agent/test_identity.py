"""The agent's key and its proofs."""

import base64
import hashlib

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hydracore_agent.errors import StateError
from hydracore_agent.identity import Identity


def test_is_made_once_and_closed_to_others(tmp_path) -> None:
    path = tmp_path / "identity.key"
    first = Identity.load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Identity.load(path).public_key == first.public_key


def test_a_damaged_key_is_never_replaced(tmp_path) -> None:
    path = tmp_path / "identity.key"
    path.write_text("nonsense!")
    with pytest.raises(StateError, match="damaged"):
        Identity.load(path)
    assert path.read_text() == "nonsense!"


def test_a_proof_ties_bytes_to_a_request(tmp_path, clock) -> None:
    identity = Identity.load(tmp_path / "identity.key")
    proof = identity.prove("instance", "nonce", b"body", clock())
    assert jwt.get_unverified_header(proof)["typ"] == "hc-proof+jwt"
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(identity.public_key))
    claims = jwt.decode(proof, key, algorithms=["EdDSA"], options={"verify_iat": False})
    assert claims == {
        "iss": "instance",
        "nonce": "nonce",
        "sha256": hashlib.sha256(b"body").hexdigest(),
        "iat": int(clock.monotonic()),
    }
