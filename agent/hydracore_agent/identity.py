"""The agent's own Ed25519 key and the proofs it signs."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agent.errors import StateError
from hydracore_agent.files import write_atomic

PROOF_TYP = "hc-proof+jwt"
PROOF_HEADER = "X-Hydracore-Proof"


class Identity:
    """The key pair that makes this agent this instance; the private half never leaves the disk."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def load(cls, path: Path) -> Identity:
        """Return the identity kept at ``path``, or make and keep one (mode 0600).

        Raises:
            StateError: the file is damaged.
            OSError: it cannot be read or written.
        """
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            key = Ed25519PrivateKey.generate()
            write_atomic(path, b64encode(key.private_bytes_raw()) + b"\n")
            return cls(key)
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(b64decode(text.strip(), validate=True)))
        except ValueError:
            raise StateError(
                f"{path} is damaged: the control plane must arm enrolment again before a new "
                "identity can be made"
            ) from None

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """The private half, for agreeing on keys."""
        return self._key

    @property
    def public_key(self) -> str:
        """The public half, 32 bytes in base64."""
        return b64encode(self._key.public_key().public_bytes_raw()).decode()

    def prove(self, instance_id: str, nonce: str, body: bytes, at: datetime) -> str:
        """Return the JWT that ties an answer's bytes to this instance and to one request."""
        claims = {
            "iss": instance_id,
            "nonce": nonce,
            "sha256": hashlib.sha256(body).hexdigest(),
            "iat": int(at.timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"typ": PROOF_TYP})
