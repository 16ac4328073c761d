"""Finds the record of an API key, with a small cache in front of the database."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog

from hydracore_api.auth.keys import hash_key, well_formed
from hydracore_history import ApiKey, HistoryError
from hydracore_history.keys import Keys

CACHE_SECONDS = 5.0
"""How long a key that was revoked or got an end may still be taken for good."""
REFRESH_AHEAD = timedelta(seconds=2)
"""A key in use is looked up again so long before its record is too old."""
CACHE_SIZE = 4096
TOUCH_EVERY = timedelta(seconds=60)

log = structlog.get_logger(__name__)


class KeyAuthenticator:
    """Looks keys up by their keyed hash, and notes now and then that they were used."""

    def __init__(self, keys: Keys, secret: bytes, *, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._secret = secret
        self._now = now
        self._cache: OrderedDict[str, tuple[ApiKey, datetime]] = OrderedDict()
        self._salt = secrets.token_bytes(32)
        self._digests: dict[bytes, str] = {}
        self._touched: dict[str, datetime] = {}
        self._asking: set[str] = set()
        self._background: set[asyncio.Task[None]] = set()

    async def find(self, text: str) -> ApiKey | None:
        """Return the record of a key; None if it is malformed, unknown, revoked or at its end.

        Raises:
            HistoryUnavailable: The database cannot be asked.
        """
        if not well_formed(text):
            return None
        digest = hash_key(text, self._secret)
        record = self._cached(digest)
        if record is None:
            record = await self._keys.by_hash(digest)
            if record is None or not record.holds(self._now()):
                return None
            self._keep(digest, record)
        self._remember(text, digest)
        self._touch(record)
        return record

    def known(self, text: str) -> ApiKey | None:
        """Return the record of a key that :meth:`find` found good in the last seconds, or None."""
        digest = self._digests.get(self._fingerprint(text))
        record = self._cached(digest) if digest is not None else None
        if digest is None or record is None:
            return None
        self._touch(record)
        if self._cache[digest][1] - self._now() < REFRESH_AHEAD and digest not in self._asking:
            self._asking.add(digest)
            self._do(self._refresh(digest))
        return record

    async def close(self) -> None:
        """Wait for the notes that are being written."""
        await asyncio.gather(*self._background, return_exceptions=True)

    def _fingerprint(self, text: str) -> bytes:
        """Return what stands for a key in this process: cheaper than its stored hash.

        The key itself is not kept, and without this process's salt nobody can try keys against it.
        """
        return hashlib.blake2b(text.encode(), key=self._salt, digest_size=16).digest()

    def _remember(self, text: str, digest: str) -> None:
        if len(self._digests) >= CACHE_SIZE:
            self._digests.clear()
        self._digests[self._fingerprint(text)] = digest

    def _cached(self, digest: str) -> ApiKey | None:
        found = self._cache.get(digest)
        if found is None:
            return None
        if found[1] <= self._now():
            del self._cache[digest]
            return None
        return found[0]

    def _touch(self, record: ApiKey) -> None:
        at = self._now()
        before = self._touched.get(record.id) or record.last_used_at
        if before is not None and at - before < TOUCH_EVERY:
            return
        if len(self._touched) >= CACHE_SIZE:
            self._touched.clear()
        self._touched[record.id] = at
        self._do(self._write_touch(record.id, at))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _keep(self, digest: str, record: ApiKey) -> None:
        until = self._now() + timedelta(seconds=CACHE_SECONDS)
        if record.expires_at is not None:
            until = min(until, record.expires_at)
        self._cache[digest] = (record, until)
        while len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)

    async def _refresh(self, digest: str) -> None:
        """Look a key up before its record is too old, so that nobody has to wait for it."""
        try:
            record = await self._keys.by_hash(digest)
        except HistoryError as fault:
            log.debug("key_not_refreshed", fault=str(fault))
        else:
            if record is None or not record.holds(self._now()):
                self._cache.pop(digest, None)
            else:
                self._keep(digest, record)
        finally:
            self._asking.discard(digest)

    async def _write_touch(self, key_id: str, at: datetime) -> None:
        try:
            await self._keys.touch(key_id, at)
        except HistoryError as fault:
            log.warning("key_use_not_noted", key_id=key_id, fault=str(fault))
