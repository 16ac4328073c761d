"""The object store that holds artifacts by digest."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore

from hydracore_artifacts.digest import digest_file
from hydracore_artifacts.errors import (
    ArtifactError,
    ArtifactMissing,
    DigestMismatch,
    StoreUnavailable,
)
from hydracore_artifacts.signing import TrustedKeys
from hydracore_crds.bundle import BundleSpec

CHUNK = 1024 * 1024
"""Bytes that a stream hands on at a time."""

URI_PREFIX = "store:///sha256/"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def artifact_uri(sha256: str) -> str:
    """Return the ``spec.artifact.uri`` of an artifact in the store."""
    return URI_PREFIX + sha256


def digest_of_uri(uri: str) -> str:
    """Return the digest that an artifact URI names.

    Raises:
        ArtifactMissing: it is not a URI of the store.
    """
    digest = uri.removeprefix(URI_PREFIX)
    if not uri.startswith(URI_PREFIX) or not _DIGEST.fullmatch(digest):
        raise ArtifactMissing(
            f"artifact.uri {uri!r} is not one of this store: it must be {URI_PREFIX}<sha256>"
        )
    return digest


class ArtifactStore:
    """Artifacts by SHA-256: ``sha256/<hex>`` in an object store named by a URL.

    ``file:///abs/dir`` is a local folder; it is made if it is missing. No other scheme is
    supported yet.

    Raises (on construction):
        ValueError: the URL names another scheme or no absolute folder.
        StoreUnavailable: the folder cannot be made or opened.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._store, self._present = _open(url)

    async def put(self, sha256: str, path: Path) -> str:
        """Store the file under its digest and return its URI.

        It appears whole or not at all; storing the same artifact again changes nothing.

        Raises:
            DigestMismatch: the file has another digest.
            StoreUnavailable: the store does not take it.
            OSError: the file cannot be read.
        """
        found = await asyncio.to_thread(digest_file, path)
        if found.sha256 != sha256:
            raise DigestMismatch(f"{path} has the digest {found.sha256}, not {sha256}")
        try:
            await obstore.put_async(self._store, _key(sha256), path)
        except (BaseError, OSError) as error:
            raise self._failure(sha256, error) from error
        return artifact_uri(sha256)

    async def size(self, sha256: str) -> int:
        """Return the artifact's size in bytes.

        Raises:
            ArtifactMissing, StoreUnavailable
        """
        try:
            meta = await obstore.head_async(self._store, _key(sha256))
        except (BaseError, OSError) as error:
            raise self._failure(sha256, error) from error
        return meta["size"]

    async def open_range(
        self, sha256: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes from ``start`` up to, not including, ``end`` (None: to the end).

        ``start`` must lie within the artifact. Failures appear while iterating.

        Raises:
            ValueError: the range is empty or reversed.
            ArtifactMissing, StoreUnavailable
        """
        if start < 0 or (end is not None and end <= start):
            raise ValueError(f"not a range of bytes: {start} to {end}")
        options: obstore.GetOptions = {}
        if end is not None:
            options = {"range": (start, end)}
        elif start > 0:
            options = {"range": {"offset": start}}
        try:
            result = await obstore.get_async(self._store, _key(sha256), options=options)
            async for chunk in result.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)
        except (BaseError, OSError) as error:
            raise self._failure(sha256, error) from error

    async def verify(self, spec: BundleSpec, trusted_keys: TrustedKeys) -> None:
        """Check that the bundle's artifact is there, unchanged, and signed by a trusted key.

        Cheap checks come first; then the bytes are read once, in pieces.

        Raises:
            UntrustedKey, SignatureInvalid: about the signature.
            ArtifactMissing, DigestMismatch: about the bytes.
            StoreUnavailable: nothing can be said now.
        """
        wanted = spec.artifact
        trusted_keys.check(wanted.sha256, spec.signature)
        if digest_of_uri(wanted.uri) != wanted.sha256:
            raise DigestMismatch(
                f"artifact.uri {wanted.uri} names another digest than artifact.sha256 "
                f"{wanted.sha256}: publish the bundle again"
            )
        size = await self.size(wanted.sha256)
        if size != wanted.size_bytes:
            raise DigestMismatch(
                f"the artifact {wanted.sha256} has {size} bytes, not {wanted.size_bytes}: "
                "put the published file into the store again"
            )
        hasher = hashlib.sha256()
        async for chunk in self.open_range(wanted.sha256):
            await asyncio.to_thread(hasher.update, chunk)
        if hasher.hexdigest() != wanted.sha256:
            raise DigestMismatch(
                f"the artifact stored as {wanted.sha256} has the digest {hasher.hexdigest()}: "
                "put the published file into the store again"
            )

    def _failure(self, sha256: str, error: BaseException) -> ArtifactError:
        missing = isinstance(error, NotFoundError | FileNotFoundError)
        if missing and self._present():
            return ArtifactMissing(
                f"the store {self.url} has no artifact {sha256}: publish the bundle again"
            )
        cause = "it is not there" if missing else f"{type(error).__name__}: {_first_line(error)}"
        return StoreUnavailable(f"the store {self.url} does not answer: {cause}")


def _key(sha256: str) -> str:
    if not _DIGEST.fullmatch(sha256):
        raise ValueError("a digest has 64 lower-case hex digits")
    return f"sha256/{sha256}"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")[:300]


def _open(url: str) -> tuple[ObjectStore, Callable[[], bool]]:
    """Open the store of a URL; also return a check whether the store itself is there."""
    parts = urlsplit(url)
    root = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc or not root.is_absolute():
        raise ValueError(
            f"ARTIFACTS_URL {url!r} is not supported: give a folder as file:///absolute/path"
        )
    try:
        return LocalStore(root, mkdir=True), root.is_dir
    except (BaseError, OSError) as error:
        raise StoreUnavailable(f"the store {url} cannot be opened: {_first_line(error)}") from error
