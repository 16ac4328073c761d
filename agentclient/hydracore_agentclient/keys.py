"""The control plane's Ed25519 key: signs requests and orders, and derives bootstrap tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from hydracore_agentclient.errors import KeyFileError
from hydracore_agentclient.pollkeys import PollKeys, agree

BOOTSTRAP_PREFIX = "hcb_"
_BOOTSTRAP_INFO = b"hydracore bootstrap token"


def key_id(public_key: bytes) -> str:
    """Return the ``kid`` of a raw Ed25519 public key: 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class ControlPlaneKey:
    """The private key. Its repr and its errors never show key material.

    Attributes:
        kid: Which key signed, for receivers with several.
        public_key_base64: The raw public key, for agents.
    """

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private = private_key
        public = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.kid = key_id(public)
        self.public_key_base64 = base64.b64encode(public).decode()

    def __repr__(self) -> str:
        return f"ControlPlaneKey(kid={self.kid!r})"

    @classmethod
    def from_pem(cls, path: str | Path) -> ControlPlaneKey:
        """Read the key from a PEM file (PKCS 8, no passphrase).

        Raises:
            KeyFileError: The file is missing, unreadable, or holds no Ed25519 private key.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as fault:
            raise KeyFileError(
                f"control-plane key {path}: {fault.strerror or fault}. "
                "Set HYDRACORE_CONTROL_PLANE_KEY_FILE to an Ed25519 private key (PEM)."
            ) from fault
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
            raise KeyFileError(
                f"control-plane key {path}: not a PEM private key without a passphrase"
            ) from fault
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"control-plane key {path}: it is no Ed25519 key")
        return cls(key)

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        """Return a JWT (EdDSA) over ``claims`` with header ``typ`` and this key's ``kid``."""
        return jwt.encode(
            claims, self._private, algorithm="EdDSA", headers={"typ": typ, "kid": self.kid}
        )

    def agree(self, public_key: Ed25519PublicKey, instance_id: str) -> PollKeys:
        """Return the keys for polls of one agent (see :mod:`.pollkeys`).

        Raises:
            ValueError: Nothing can be agreed on with that key.
        """
        return agree(self._private, public_key, instance_id)

    def derive(self, info: bytes) -> bytes:
        """Return 32 secret bytes for one purpose (HKDF-SHA256 of the raw private key)."""
        raw = self._private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(raw)


def bootstrap_token(key: ControlPlaneKey, instance_id: str, counter: int) -> str:
    """Return the bootstrap token of an instance's ``counter``-th arming.

    The same arguments give the same token, so that creating a server can be repeated; only its
    SHA-256 is ever stored.
    """
    secret = key.derive(_BOOTSTRAP_INFO)
    mac = hmac.new(secret, f"{instance_id}:{counter}".encode(), hashlib.sha256).digest()
    return BOOTSTRAP_PREFIX + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
