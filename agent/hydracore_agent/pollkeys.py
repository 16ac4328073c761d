"""Keys and marks of cheap polls, on which control plane and agent agree without a word.

Signing and verifying Ed25519 costs as much as the rest of a poll. Each side knows the other's
Ed25519 key, so both compute the same secret (X25519 over the same keys, RFC 7748) and mark polls
with keyed BLAKE2b (RFC 7693) instead. The other side's copy is
``hydracore_agentclient/pollkeys.py``; tests let the two meet.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SCHEME = "Poll"
"""Of the Authorization header: ``Poll v2.<kid>.<subject>.<issued>.<nonce>.<mark>``."""
VERSION = "v2"
_INFO = b"hydracore poll keys v2 "
_P = 2**255 - 19
_BYTES = 32


@dataclass(frozen=True, slots=True)
class PollKeys:
    """The keys between the control plane and one agent.

    Attributes:
        request: Marks requests.
        answer: Marks answers; another key, so that neither passes for the other.
    """

    request: bytes
    answer: bytes

    def __repr__(self) -> str:
        return "PollKeys(…)"


def agree(own: Ed25519PrivateKey, other: Ed25519PublicKey, instance_id: str) -> PollKeys:
    """Return the keys; the same on both sides.

    Args:
        own: This side's identity.
        other: The other side's.
        instance_id: The agent's instance; other instances get other keys.

    Raises:
        ValueError: ``other`` is a degenerate point, with which nothing can be agreed.
    """
    secret = montgomery_private(own).exchange(montgomery_public(other))
    info = _INFO + instance_id.encode()
    both = HKDF(algorithm=SHA256(), length=2 * _BYTES, salt=None, info=info).derive(secret)
    return PollKeys(both[:_BYTES], both[_BYTES:])


def montgomery_private(key: Ed25519PrivateKey) -> X25519PrivateKey:
    """Return the X25519 key with the same secret scalar (RFC 8032, 5.1.5: half of the hash)."""
    digest = hashlib.sha512(key.private_bytes_raw()).digest()
    return X25519PrivateKey.from_private_bytes(digest[:_BYTES])


def montgomery_public(key: Ed25519PublicKey) -> X25519PublicKey:
    """Return the same point on the curve of X25519: u = (1 + y) / (1 - y) (RFC 7748, 4.1).

    Raises:
        ValueError: The point has no counterpart (y = 1, the neutral element).
    """
    y = int.from_bytes(key.public_bytes_raw(), "little") & ((1 << 255) - 1)
    u = (1 + y) * pow(1 - y, -1, _P) % _P
    return X25519PublicKey.from_public_bytes(u.to_bytes(_BYTES, "little"))


def request_mark(
    key: bytes, instance_id: str, kid: str, subject: str, issued: int, nonce: str
) -> str:
    """Return the mark of one request for ``GET /api/status``."""
    said = f"request\n{instance_id}\n{kid}\n{subject}\n{issued}\n{nonce}"
    return _mark(key, said.encode())


def answer_mark(
    key: bytes, instance_id: str, nonce: str, status: int, tag: str, body: bytes
) -> str:
    """Return the mark of the answer to the request of this nonce.

    Args:
        key: For answers.
        instance_id: Who answers.
        nonce: Of the request.
        status: HTTP status.
        tag: What stands in ETag, without its quotes; empty where there is none.
        body: The bytes; none with a 304.
    """
    said = f"answer\n{instance_id}\n{nonce}\n{status}\n{tag}\n"
    return _mark(key, said.encode() + body)


def _mark(key: bytes, said: bytes) -> str:
    mac = hashlib.blake2b(said, key=key, digest_size=_BYTES).digest()
    return base64.urlsafe_b64encode(mac).decode()
