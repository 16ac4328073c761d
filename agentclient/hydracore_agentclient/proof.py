"""Checking that an answer comes from the instance that was asked, and answers this request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import jwt
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
    try:
        if jwt.get_unverified_header(proof).get("typ") != PROOF_TYP:
            raise WrongIdentity("the answer's proof is of another type")
        # The nonce binds the proof to this request, so clocks need not agree.
        claims = jwt.decode(
            proof,
            load_public_key(public_key),
            algorithms=["EdDSA"],
            issuer=instance_id,
            options={
                "require": ["iss", "nonce", "sha256", "iat"],
                "verify_iat": False,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_aud": False,
            },
        )
    except jwt.PyJWTError as fault:
        raise WrongIdentity(f"the answer's proof does not hold ({type(fault).__name__})") from fault
    if not hmac.compare_digest(str(claims["nonce"]), nonce):
        raise WrongIdentity("the answer's proof belongs to another request")
    if not hmac.compare_digest(str(claims["sha256"]), hashlib.sha256(body).hexdigest()):
        raise WrongIdentity("the answer's proof is for other bytes")


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
