"""Is this the bundle that was ordered, and did someone whom we trust sign it?"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from hydracore_agent.orders.outcome import Rejected
from hydracore_agent.settings import BundleRef
from hydracore_agent.trust import Keys

CHUNK = 1024 * 1024


def check_signature(bundle: BundleRef, keys: Keys) -> None:
    """Return if the signature over the digest's 32 bytes is right; the bytes are not needed.

    Raises:
        Rejected: the key is not trusted or the signature is wrong.
    """
    key = keys.get(bundle.key_id)
    if key is None:
        trusted = ", ".join(sorted(keys)) or "none"
        raise Rejected(
            f"bundle {bundle.slug} {bundle.version} is signed with key {bundle.key_id!r}, which "
            f"this agent does not trust (trusted: {trusted})"
        )
    try:
        key.verify(base64.b64decode(bundle.signature, validate=True), bytes.fromhex(bundle.sha256))
    except (InvalidSignature, ValueError):
        raise Rejected(
            f"the signature of bundle {bundle.slug} {bundle.version} is not one of key "
            f"{bundle.key_id!r} over digest {bundle.sha256}"
        ) from None


def digest_file(path: Path, check: Callable[[], None]) -> str:
    """Return the file's SHA-256 in hex; ``check`` is called between the parts read.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(CHUNK):
            digest.update(part)
            check()
    return digest.hexdigest()
