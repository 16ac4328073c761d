"""What belongs to single instances: ``instances/<id>/<name>`` in the object store.

It goes with the instance: the operator deletes all of it before it lets an Instance go.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import obstore

from hydracore_artifacts.backend import Backend
from hydracore_artifacts.errors import StoreUnavailable
from hydracore_artifacts.explain import STORE_ERRORS, missing

FOLDER = "instances"
PAGE = 1000
"""Objects listed, and deleted, at once: the most that S3 takes in one request."""

MAX_PAGES = 1000
"""After so many pages one call of :meth:`InstanceArtifacts.delete_all` gives up: somebody keeps
writing, or the store does not delete."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,7}")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of an instance: its name below the instance's prefix, and its size in bytes."""

    name: str
    size_bytes: int


class InstanceArtifacts:
    """The objects of instances; :attr:`ArtifactStore.instances` has it.

    Ids are UUIDs and names are plain (letters, digits, ``._-``, and ``/`` between parts, none of
    which begins with a dot), so that no instance ever reaches another's objects; everything else
    is a ValueError.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def put(self, instance_id: str, name: str, content: bytes) -> None:
        """Store an object, whole or not at all; one of the same name is replaced.

        Raises:
            ValueError, StoreUnavailable
        """
        backend, key = self._backend, _key(instance_id, name)
        try:
            await backend.call(obstore.put, backend.store, key, content)
        except STORE_ERRORS as error:
            raise await backend.failure(error) from None

    async def objects(self, instance_id: str) -> AsyncIterator[StoredObject]:
        """Yield what an instance has, however much, in no certain order.

        Raises:
            ValueError, StoreUnavailable
        """
        prefix = _prefix(instance_id)
        try:
            pages = obstore.list(self._backend.store, prefix, chunk_size=PAGE)
            while (page := await self._backend.call(next, pages, None)) is not None:
                for meta in page:
                    yield StoredObject(meta["path"].removeprefix(f"{prefix}/"), meta["size"])
        except STORE_ERRORS as error:
            raise await self._backend.failure(error) from None

    async def open(self, instance_id: str, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes in pieces.

        Raises:
            ValueError, ArtifactMissing, StoreUnavailable
        """
        if_missing = f"the store {self._backend.url} has no {name!r} of instance {instance_id}"
        async for piece in self._backend.read(_key(instance_id, name), if_missing):
            yield piece

    async def delete_all(self, instance_id: str) -> int:
        """Delete all that an instance has; return how many objects that were.

        May be repeated, also after it was killed at any point; returns once nothing is left.

        Raises:
            ValueError, StoreUnavailable: something may be left.
        """
        prefix, deleted = _prefix(instance_id), 0
        for _ in range(MAX_PAGES):
            keys = await self._page(prefix)
            if not keys:
                # A folder that is not there has nothing in it either, and says nothing.
                if absence := await self._backend.absence():
                    raise absence
                return deleted
            await self._delete(keys)
            deleted += len(keys)
        raise StoreUnavailable(
            f"the store {self._backend.url} still has objects below {prefix}/ after {deleted} were "
            "deleted: see who writes there, or whether it keeps what is deleted"
        )

    async def _page(self, prefix: str) -> list[str]:
        try:
            pages = obstore.list(self._backend.store, prefix, chunk_size=PAGE)
            page = await self._backend.call(next, pages, None)
        except STORE_ERRORS as error:
            raise await self._backend.failure(error) from None
        return [meta["path"] for meta in page or ()]

    async def _delete(self, keys: list[str]) -> None:
        try:
            await self._backend.call(obstore.delete, self._backend.store, keys)
        except STORE_ERRORS as error:
            if missing(error):
                return  # deleted by another in between: the next page shows what is left
            raise await self._backend.failure(error) from None


def _prefix(instance_id: str) -> str:
    if not _ID.fullmatch(instance_id):
        raise ValueError("an instance's id is a UUID in lower case")
    return f"{FOLDER}/{instance_id}"


def _key(instance_id: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for an object")
    return f"{_prefix(instance_id)}/{name}"
