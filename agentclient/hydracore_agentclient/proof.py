"""Checking that an answer comes from the instance that was asked, and answers this request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hydracore_agentclient.errors import WrongIdentity

PROOF_HEADER = "X-Hydracore-Proof"
PROOF_TYP = "hc-proof+jwt"
MAX_PROOF = 4096
_KEY_BYTES = 32


def verify_proof(
    proof: str | None, *, instance_id: str, public_key: str, nonce: str, body: bytes
) -> None:
    """Check the proof of an answer.

    Args:
        proof: Value of the proof header.
        instance_id: Who must have answered.
        public_key: That instance's Ed25519 key, raw, base64.
        nonce: ``jti`` of the request.
        body: The answer's bytes.

    Raises:
        WrongIdentity: There is no proof, or it is another's, or for other bytes or another
            request.
    """
    if not proof or len(proof) > MAX_PROOF:
        raise WrongIdentity("the answer carries no proof of who gave it")
    claims = _claims(proof, public_key)
    if claims.get("iss") != instance_id or not {"nonce", "sha256", "iat"} <= claims.keys():
        raise WrongIdentity("the answer's proof is another instance's, or incomplete")
    # The nonce binds the proof to this request, so clocks need not agree.
    if not hmac.compare_digest(str(claims["nonce"]), nonce):
        raise WrongIdentity("the answer's proof belongs to another request")
    if not hmac.compare_digest(str(claims["sha256"]), hashlib.sha256(body).hexdigest()):
        raise WrongIdentity("the answer's proof is for other bytes")


def _claims(proof: str, public_key: str) -> dict[str, Any]:
    """Return the claims of a compact JWS (RFC 7515) once its signature holds.

    Only EdDSA (RFC 8037) by this one key counts, whatever the header says; a JWT library's
    choice of algorithms and keys costs more than the signature itself.
    """
    signed, _, signature = proof.encode().rpartition(b".")
    head, _, payload = signed.partition(b".")
    try:
        header = orjson.loads(_decode(head))
        if header["alg"] != "EdDSA" or header.get("typ") != PROOF_TYP or "crit" in header:
            raise WrongIdentity("the answer's proof is of another type")
        load_public_key(public_key).verify(_decode(signature), signed)
        claims = orjson.loads(_decode(payload))
    except InvalidSignature as fault:
        raise WrongIdentity("the answer's proof does not hold: another key signed it") from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise WrongIdentity(
            f"the answer's proof cannot be read ({type(fault).__name__})"
        ) from fault
    if not isinstance(claims, dict):
        raise WrongIdentity("the answer's proof holds no claims")
    return claims


def _decode(part: bytes) -> bytes:
    return base64.b64decode(part + b"=" * (-len(part) % 4), b"-_", validate=True)


@lru_cache(maxsize=16384)
def load_public_key(public_key: str) -> Ed25519PublicKey:
    """Read a raw base64 Ed25519 public key.

    Raises:
        WrongIdentity: It is not one, so that nothing can be proved against it.
    """
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise WrongIdentity("the instance's stored public key is no base64") from fault
    if len(raw) != _KEY_BYTES:
        raise WrongIdentity("the instance's stored public key is no Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(raw)
