"""The object store that holds artifacts by digest."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import obstore

from hydracore_artifacts.backend import PIECE, Backend
from hydracore_artifacts.digest import digest_file
from hydracore_artifacts.errors import ArtifactMissing, DigestMismatch
from hydracore_artifacts.explain import STORE_ERRORS
from hydracore_artifacts.instances import InstanceArtifacts
from hydracore_artifacts.location import S3Access
from hydracore_artifacts.settings import StoreSettings
from hydracore_artifacts.signing import TrustedKeys
from hydracore_crds.bundle import BundleSpec

URI_PREFIX = "store:///sha256/"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PARTS = 4
"""Parts of an upload under way at once; obstore holds so many times 5 MiB."""


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

    ``file:///abs/dir`` is a local folder, made if it is missing; ``s3://bucket/prefix`` lies in a
    bucket of Amazon's or of an S3-compatible store, which is asked first when something is wanted.

    Attributes:
        url: Its URL, for people.
        instances: What belongs to single instances, in the same place.

    Raises (on construction):
        ValueError: the URL names another scheme, no absolute folder or no bucket.
        StoreUnavailable: the folder cannot be made or opened.
    """

    def __init__(self, url: str, access: S3Access | None = None) -> None:
        self._backend = Backend(url, access or S3Access())
        self.url = url
        self.instances = InstanceArtifacts(self._backend)

    @classmethod
    def of(cls, settings: StoreSettings) -> ArtifactStore:
        """Open the store of the settings; raises as the constructor does."""
        return cls(settings.artifacts_url, settings.s3_access())

    @property
    def signs_urls(self) -> bool:
        """Return whether :meth:`signed_url` can be had of this store."""
        return self._backend.signs_urls

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
        pieces = _Pieces(path)
        backend, key = self._backend, _key(sha256)
        try:
            await backend.call(
                obstore.put, backend.store, key, iter(pieces), max_concurrency=_PARTS
            )
        except STORE_ERRORS as error:
            if pieces.error is not None:
                raise pieces.error from None
            raise await backend.failure(error) from None
        finally:
            pieces.stopped.set()
        return artifact_uri(sha256)

    async def size(self, sha256: str) -> int:
        """Return the artifact's size in bytes.

        Raises:
            ArtifactMissing, StoreUnavailable
        """
        backend, key = self._backend, _key(sha256)
        try:
            meta = await backend.call(obstore.head, backend.store, key)
        except STORE_ERRORS as error:
            raise await backend.failure(error, self._missing(sha256)) from None
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
        if end is None:
            end = await self.size(sha256)
        key, if_missing = _key(sha256), self._missing(sha256)
        async for piece in self._backend.read_range(key, start, end, if_missing):
            yield piece

    async def signed_url(self, sha256: str, seconds: float) -> str:
        """Return a URL at which anybody may fetch the artifact for so many seconds.

        It is a secret: it goes to who asked, and into no log, status or file.

        Raises:
            ValueError: this store signs none (:attr:`signs_urls`).
            StoreUnavailable
        """
        return await self._backend.sign(_key(sha256), seconds)

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
        whole = self._backend.read(_key(wanted.sha256), self._missing(wanted.sha256))
        async for piece in whole:
            await asyncio.to_thread(hasher.update, piece)
        if hasher.hexdigest() != wanted.sha256:
            raise DigestMismatch(
                f"the artifact stored as {wanted.sha256} has the digest {hasher.hexdigest()}: "
                "put the published file into the store again"
            )

    def _missing(self, sha256: str) -> str:
        return f"the store {self.url} has no artifact {sha256}: publish the bundle again"


class _Pieces:
    """A file's bytes for an upload, which ends without a trace when it is stopped.

    Attributes:
        stopped: Once set, the upload fails at its next piece.
        error: Why the file could not be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stopped = threading.Event()
        self.error: OSError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as stream:
                while piece := stream.read(PIECE):
                    if self.stopped.is_set():
                        raise InterruptedError("the upload was stopped")
                    yield piece
        except OSError as error:
            self.error = error
            raise


def _key(sha256: str) -> str:
    if not _DIGEST.fullmatch(sha256):
        raise ValueError("a digest has 64 lower-case hex digits")
    return f"sha256/{sha256}"
