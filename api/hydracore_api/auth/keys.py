"""API keys: ``hc_live_`` + 32 random characters + a checksum of 6 (the form GitHub uses).

The random part has 190 bits. The checksum lets a typing error be told from a guess without
asking the database. Only an HMAC-SHA256 with the server's secret is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hydracore_history import ApiKey, History

PREFIX = "hc_live_"
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6
SHOWN_LENGTH = len(PREFIX) + 6
MIN_SECRET_BYTES = 32
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SCOPE = re.compile(r"[a-z][a-z0-9-]{0,62}:(read|write|delete|\*)")


class ServerSecretError(Exception):
    """The server's secret cannot be used; the message names file and fault."""


def load_server_secret(path: Path) -> bytes:
    """Read the secret that keys the hashes.

    Raises:
        ServerSecretError: The file is missing, unreadable or too short.
    """
    try:
        secret = path.read_bytes()
    except OSError as fault:
        raise ServerSecretError(
            f"server secret {path}: {fault.strerror or fault}. Set HYDRACORE_SERVER_SECRET_FILE "
            f"to a file of at least {MIN_SECRET_BYTES} random bytes"
        ) from fault
    if len(secret) < MIN_SECRET_BYTES:
        raise ServerSecretError(
            f"server secret {path}: it has {len(secret)} bytes, {MIN_SECRET_BYTES} random ones "
            "are needed at least"
        )
    return secret


def generate() -> str:
    """Return a new key."""
    random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return PREFIX + random + _checksum(random)


def well_formed(key: str) -> bool:
    """Whether a text has the form of a key, checksum included."""
    body = key.removeprefix(PREFIX)
    if body == key or len(body) != RANDOM_LENGTH + CHECKSUM_LENGTH or not body.isascii():
        return False
    return body.isalnum() and _checksum(body[:RANDOM_LENGTH]) == body[RANDOM_LENGTH:]


def hash_key(key: str, secret: bytes) -> str:
    """Return what is stored of a key: HMAC-SHA256 with the server's secret, hex."""
    return hmac.new(secret, key.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Rotated:
    """A key's successor.

    Attributes:
        record: What is stored of the successor.
        key: The successor itself, which cannot be had again.
        expires_at: When the key that it follows stops working.
    """

    record: ApiKey
    key: str
    expires_at: datetime


async def rotate_api_key(
    history: History,
    secret: bytes,
    old: ApiKey,
    *,
    overlap: timedelta,
    created_by: str,
    at: datetime,
) -> Rotated | None:
    """Make a key's successor with the same name and rights; the old one works for the overlap.

    Returns:
        The successor; None, and nothing is stored, if the key was revoked or rotated meanwhile.

    Raises:
        HistoryUnavailable: The database cannot be used.
    """
    key = generate()
    record = replace(
        old,
        id=str(uuid.uuid4()),
        prefix=key[:SHOWN_LENGTH],
        key_hash=hash_key(key, secret),
        created_by=created_by,
        created_at=at,
        last_used_at=None,
    )
    expires_at = at + overlap
    if not await history.keys.replace(old.id, record, expires_at=expires_at):
        return None
    return Rotated(record, key, expires_at)


async def create_api_key(  # noqa: PLR0913  # what a key may do is said in full
    history: History,
    secret: bytes,
    *,
    tenant_id: str,
    namespace: str,
    name: str,
    scopes: Sequence[str],
    admin: bool = False,
    tenant_wide: bool = False,
    created_by: str,
    at: datetime,
) -> tuple[ApiKey, str]:
    """Make an API key and store its hash.

    Args:
        history: The database.
        secret: What :func:`load_server_secret` returned.
        tenant_id: The tenant that the key is bound to.
        namespace: The tenant's namespace.
        name: What people call the key.
        scopes: ``<resource>:<read|write|delete|*>``.
        admin: Whether it passes the admin routes.
        tenant_wide: Whether it may override the maintenance window.
        created_by: Who made it.
        at: When.

    Returns:
        The record and the key itself, which cannot be had again.

    Raises:
        ValueError: A scope has another form.
        HistoryUnavailable: The database cannot be used.
    """
    wrong = [scope for scope in scopes if not SCOPE.fullmatch(scope)]
    if wrong:
        raise ValueError(
            f"not a scope: {', '.join(wrong)}. A scope is <resource>:<read|write|delete|*>, "
            "e.g. instances:read"
        )
    key = generate()
    record = ApiKey(
        id=str(uuid.uuid4()),
        tenant_id=tenant_id,
        namespace=namespace,
        name=name,
        prefix=key[:SHOWN_LENGTH],
        key_hash=hash_key(key, secret),
        scopes=tuple(scopes),
        admin=admin,
        tenant_wide=tenant_wide,
        created_by=created_by,
        created_at=at,
        last_used_at=None,
        revoked_at=None,
    )
    return await history.keys.create(record), key


def _checksum(random: str) -> str:
    number = zlib.crc32(random.encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
