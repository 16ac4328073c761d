"""The object store behind an artifacts URL: opened, called, asked whether it is there at all."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import obstore
from obstore.store import LocalStore, S3Store

from hydracore_artifacts.errors import ArtifactError, ArtifactMissing, StoreUnavailable
from hydracore_artifacts.explain import STORE_ERRORS, denied, explain, missing
from hydracore_artifacts.location import BucketPlace, FolderPlace, S3Access, place_of

if TYPE_CHECKING:  # they exist for type checkers only
    from obstore.store import BackoffConfig, ClientConfig, S3Config
    from typing_extensions import Buffer

PIECE = 256 * 1024
"""Bytes that are handed on at a time out of a bucket, where every piece costs a request."""

FOLDER_PIECE = 128 * 1024
"""The same out of a folder."""

CALLS = 16
"""Calls at once; further ones wait. It bounds what a process holds of the store's answers, however
many clients it serves: an open answer of an S3 server takes up to two megabytes of buffers."""

CONNECT_TIMEOUT = timedelta(seconds=3)
READ_TIMEOUT = timedelta(seconds=20)
"""A store that sends nothing for so long is taken for gone."""
REQUEST_TIMEOUT = timedelta(hours=6)
"""A whole answer. It counts while a slow agent takes a bundle, so it is no deadline for a store
that hangs; that is the read timeout's part."""
RETRIES = 2
RETRY_TIMEOUT = timedelta(seconds=10)
"""Short: callers have retries of their own, with longer pauses, and must not hang meanwhile."""

P = ParamSpec("P")
T = TypeVar("T")


class Backend:
    """One opened object store.

    Its calls are obstore's blocking ones, in threads of our own: the asynchronous ones answer from
    threads that nobody can wait for, and end a process with SIGABRT that exits right after one.

    Attributes:
        url: For people; it holds no secrets.
        store: What obstore's functions take. Keys are relative to the URL.

    Raises (on construction):
        ValueError: the URL or the access is of no use.
        StoreUnavailable: the folder cannot be made or opened.
    """

    def __init__(self, url: str, access: S3Access) -> None:
        self._place = place_of(url, access)
        self._threads = ThreadPoolExecutor(CALLS, thread_name_prefix="store")
        self._piece = FOLDER_PIECE if isinstance(self._place, FolderPlace) else PIECE
        self.url = url
        self.store: LocalStore | S3Store
        try:
            if isinstance(self._place, FolderPlace):
                self.store = LocalStore(self._place.path, mkdir=True, automatic_cleanup=True)
            else:
                self.store = _bucket(self._place, access)
        except STORE_ERRORS as error:
            raise StoreUnavailable(f"the store {url} cannot be opened: {explain(error)}") from None

    @property
    def signs_urls(self) -> bool:
        """Return whether it can sign URLs that may be handed to agents."""
        return isinstance(self._place, BucketPlace) and self._place.signs_urls

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one of obstore's blocking functions in a thread; raises what it raises."""
        work = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def read(self, key: str, if_missing: str) -> AsyncIterator[bytes]:
        """Yield a whole object in pieces, by one request that stays open: for a single reader.

        Raises:
            ArtifactMissing: the store has no such object; ``if_missing`` is the text.
            StoreUnavailable
        """
        try:
            found = await self.call(obstore.get, self.store, key)
            pieces: Iterator[Buffer] = iter(found.stream(min_chunk_size=self._piece))
            while piece := await self.call(_next_piece, pieces):
                yield piece
        except STORE_ERRORS as error:
            raise await self.failure(error, if_missing) from None

    async def read_range(
        self, key: str, start: int, end: int, if_missing: str
    ) -> AsyncIterator[bytes]:
        """Yield the bytes from ``start`` up to, not including, ``end``: for many readers at once.

        Each piece is a request of its own, so that a reader who takes his time holds nothing of
        the store's meanwhile but that piece. It ends early where the object does.

        Raises:
            ArtifactMissing, StoreUnavailable: as :meth:`read`.
        """
        while start < end:
            wanted = min(self._piece, end - start)
            try:
                piece = await self.call(_one_piece, self.store, key, start, wanted)
            except STORE_ERRORS as error:
                raise await self.failure(error, if_missing) from None
            start += len(piece)
            yield piece
            if len(piece) < wanted:
                return

    async def sign(self, key: str, seconds: float) -> str:
        """Return a URL with which anybody may read an object for so many seconds: a secret.

        Raises:
            ValueError: this store signs none.
            StoreUnavailable: no credentials can be had now.
        """
        if not self.signs_urls or not isinstance(self.store, S3Store):
            raise ValueError(f"the store {self.url} signs no URLs for agents")
        try:
            return await self.call(obstore.sign, self.store, "GET", key, timedelta(seconds=seconds))
        except STORE_ERRORS as error:
            raise self._unavailable(error) from None

    async def failure(self, error: BaseException, if_missing: str | None = None) -> ArtifactError:
        """Turn an error of obstore's into one of ours.

        Args:
            error: What was raised.
            if_missing: What to say where the store is there and the object is not; None where
                nothing was looked for.
        """
        if not missing(error):
            return self._unavailable(error)
        absence = await self.absence()
        if absence is not None:
            return absence
        return ArtifactMissing(if_missing) if if_missing is not None else self._unavailable(error)

    async def absence(self) -> StoreUnavailable | None:
        """Return why the store itself is not there; that an object is missing does not say it."""
        if isinstance(self._place, FolderPlace):
            if await self.call(self._place.path.is_dir):
                return None
            return StoreUnavailable(f"the store {self.url} does not answer: it is not there")
        try:
            await self.call(next, obstore.list(self.store, "sha256", chunk_size=1), None)
        except STORE_ERRORS as error:
            return self._unavailable(error)
        return None

    def _unavailable(self, error: BaseException) -> StoreUnavailable:
        if denied(error):
            return StoreUnavailable(
                f"the store {self.url} refuses access ({explain(error)}): check its credentials, "
                "what their policy allows, and the clock of this machine"
            )
        return StoreUnavailable(f"the store {self.url} does not answer: {explain(error)}")


def _next_piece(pieces: Iterator[Buffer]) -> bytes:
    """Return the next piece, empty at the end; obstore's own memory is free again then."""
    piece = next(pieces, None)
    return b"" if piece is None else bytes(piece)


def _one_piece(store: LocalStore | S3Store, key: str, start: int, length: int) -> bytes:
    return bytes(obstore.get_range(store, key, start=start, length=length))


def _bucket(place: BucketPlace, access: S3Access) -> S3Store:
    config: S3Config = {"region": access.region}
    if access.endpoint is not None:
        config["endpoint"] = access.endpoint
    if access.credentials is not None:
        config["access_key_id"] = access.credentials.access_key_id
        config["secret_access_key"] = access.credentials.secret_access_key
    client: ClientConfig = {
        "allow_http": place.allow_http,
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        "timeout": REQUEST_TIMEOUT,
    }
    backoff: BackoffConfig = {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=1),
        "base": 2,
    }
    return S3Store(
        place.bucket,
        prefix=place.prefix,
        config=config,
        client_options=client,
        retry_config={
            "max_retries": RETRIES,
            "retry_timeout": RETRY_TIMEOUT,
            "backoff": backoff,
        },
    )
