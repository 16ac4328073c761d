"""Ed25519 public keys: reading them and naming them."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hydracore_agent.fields import FieldError

RAW_BYTES = 32
KID_DIGITS = 16


def public_key(text: str) -> Ed25519PublicKey:
    """Return the key of 32 bytes in base64.

    Raises:
        FieldError: it is not that.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise FieldError("an Ed25519 public key must be base64") from None
    if len(raw) != RAW_BYTES:
        raise FieldError(f"an Ed25519 public key must have {RAW_BYTES} bytes, not {len(raw)}")
    return Ed25519PublicKey.from_public_bytes(raw)


def kid_of(key: Ed25519PublicKey) -> str:
    """Return the key's id: the first 16 hex digits of the SHA-256 of its raw bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:KID_DIGITS]
