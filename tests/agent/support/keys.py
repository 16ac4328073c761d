"""Keys of a control plane and of a bundle signer, and what they sign."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

INSTANCE = "7d5a3c1e-8f40-4f0e-9c55-0d9a3e6f1b22"


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def kid(key: Ed25519PrivateKey) -> str:
    return hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]


class Signer:
    """Signs requests, orders and bundles."""

    def __init__(self) -> None:
        self.control = Ed25519PrivateKey.generate()
        self.bundle = Ed25519PrivateKey.generate()
        self.bundle_key_id = "release-1"

    def control_keys(self) -> list[dict[str, str]]:
        return [{"kid": kid(self.control), "publicKey": public(self.control)}]

    def bundle_keys(self) -> list[dict[str, str]]:
        return [{"keyId": self.bundle_key_id, "publicKey": public(self.bundle)}]

    def sign_digest(self, sha256: str) -> str:
        return base64.b64encode(self.bundle.sign(bytes.fromhex(sha256))).decode()

    def jwt(
        self, claims: Mapping[str, Any], typ: str, header: Mapping[str, Any] | None = None
    ) -> str:
        headers = {"typ": typ, "kid": kid(self.control), **(header or {})}
        return jwt.encode(dict(claims), self.control, algorithm="EdDSA", headers=headers)

    def token(self, now: float | None = None, **changes: Any) -> str:
        issued = int(time.time() if now is None else now)
        claims = {
            "iss": "hydracore",
            "aud": INSTANCE,
            "sub": "operator",
            "iat": issued,
            "exp": issued + 60,
            "jti": str(uuid.uuid4()),
            **changes,
        }
        return self.jwt({k: v for k, v in claims.items() if v is not None}, "hc-control+jwt")

    def order_claims(self, sha256: str, size: int, url: str, **changes: Any) -> dict[str, Any]:
        issued = int(time.time())
        return {
            "iss": "hydracore",
            "aud": INSTANCE,
            "jti": str(uuid.uuid4()),
            "iat": issued,
            "exp": issued + 60,
            "epoch": 1,
            "kind": "install",
            "slug": "expressclaw",
            "version": "1.1.0",
            "sha256": sha256,
            "sizeBytes": size,
            "keyId": self.bundle_key_id,
            "signature": self.sign_digest(sha256),
            "url": url,
            "force": False,
            **changes,
        }

    def order(self, claims: Mapping[str, Any]) -> str:
        return self.jwt(claims, "hc-order+jwt")
