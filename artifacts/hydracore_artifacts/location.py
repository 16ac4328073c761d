"""What an artifacts URL names, and what is needed to get there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]*")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair of an S3-compatible store; neither half is ever shown."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class S3Access:
    """How an ``s3://`` URL is reached.

    Attributes:
        endpoint: http(s) URL of the store; None is Amazon's.
        region: What requests are signed for.
        credentials: None leaves them to the environment (AWS_*, web identity, machine's role).
    """

    endpoint: str | None = None
    region: str = "us-east-1"
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """A folder of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """A bucket, or what lies below a prefix in it.

    Attributes:
        allow_http: The endpoint is not behind TLS.
        signs_urls: A URL signed for it may be handed to agents: behind TLS, or on this machine.
    """

    bucket: str
    prefix: str | None
    allow_http: bool
    signs_urls: bool


def place_of(url: str, access: S3Access) -> FolderPlace | BucketPlace:
    """Return what the URL names.

    Raises:
        ValueError: It is no such URL. The text does not repeat it: somebody may have put a
            password in, and one with a slash is not even seen as such.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return _bucket(url, parts, access)
    root = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc or parts.query or not root.is_absolute():
        raise ValueError(
            "ARTIFACTS_URL is not supported: give a folder as file:///absolute/path, or a bucket "
            "as s3://bucket/prefix"
        )
    return FolderPlace(root)


def _bucket(url: str, parts: SplitResult, access: S3Access) -> BucketPlace:
    if "@" in url or parts.query or parts.fragment:
        raise ValueError(
            "ARTIFACTS_URL must hold no credentials, query or fragment: the key pair of an S3 "
            "store goes into ARTIFACTS_S3_ACCESS_KEY_ID and ARTIFACTS_S3_SECRET_ACCESS_KEY"
        )
    prefix = parts.path.strip("/")
    odd = any(part in {"", ".", ".."} for part in prefix.split("/")) if prefix else False
    if not _BUCKET.fullmatch(parts.netloc) or not _PREFIX.fullmatch(prefix) or odd:
        raise ValueError(
            "ARTIFACTS_URL names no bucket: give s3://bucket or s3://bucket/prefix, with plain "
            "letters, digits, dots and dashes"
        )
    secure, local = True, False
    if access.endpoint is not None:
        secure, local = _endpoint(access.endpoint)
    return BucketPlace(parts.netloc, prefix or None, not secure, secure or local)


def _endpoint(url: str) -> tuple[bool, bool]:
    """Return whether an endpoint is behind TLS, and whether it is on this machine."""
    parts = urlsplit(url)
    plain = "@" not in url and parts.path in {"", "/"} and not parts.query and not parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise ValueError(
            "ARTIFACTS_S3_ENDPOINT must be an http(s) URL without credentials and path, such as "
            "https://s3.example.org"
        )
    return parts.scheme == "https", parts.hostname in _LOOPBACK
