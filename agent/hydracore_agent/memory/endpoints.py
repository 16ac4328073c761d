"""``/api/memory``: what is remembered is listed, added and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from hydracore_agent.auth import Caller
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.http import Answer, Refusal, read_object
from hydracore_agent.memory.store import KINDS, Item, MemoryStore, MemoryStoreError, Which

MAX_CONTENT = 4000
MAX_LISTED = 200
_NAMES = {"customerId": "customer_id", "conversationId": "conversation_id"}


class MemoryEndpoints:
    """Answers over HTTP."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def list(self, request: Request, _caller: Caller) -> Answer:
        """Return items, the newest first, and how the store is.

        Raises:
            Refusal: The query is wrong, or the store cannot be read.
        """
        query = dict(request.query_params)
        limit = query.pop("limit", str(MAX_LISTED))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LISTED):
            raise Refusal(400, "invalid_request", f"limit must be from 1 to {MAX_LISTED}")
        which = _which(query)
        try:
            found = await asyncio.to_thread(self._store.find, which, int(limit))
            count = await asyncio.to_thread(self._store.count)
        except MemoryStoreError as error:
            raise _away(error) from error
        return Answer({"items": [_wire(one) for one in found], "stored": count})

    async def add(self, request: Request, _caller: Caller) -> Answer:
        """Remember something.

        Raises:
            Refusal: The body is wrong, or it cannot be stored.
        """
        body = await read_object(request)
        try:
            fields = Fields(body, "body")
            content = fields.text("content", longest=MAX_CONTENT)
            kind = fields.text("kind", KINDS[0], longest=32)
        except FieldError as error:
            raise Refusal(400, "invalid_request", str(error)) from error
        which = _which({key: value for key, value in body.items() if key in _NAMES})
        if kind not in KINDS:
            raise Refusal(400, "invalid_request", f"body.kind must be one of {', '.join(KINDS)}")
        try:
            item = await asyncio.to_thread(
                self._store.add, kind, content, which.customer_id, which.conversation_id
            )
        except MemoryStoreError as error:
            raise _away(error) from error
        return Answer(_wire(item))

    async def remove(self, request: Request, _caller: Caller) -> Answer:
        """Forget the items that fit; without any condition all of them.

        Raises:
            Refusal: The body is wrong, or they cannot be removed.
        """
        which = _which(await read_object(request))
        try:
            return Answer({"removed": await asyncio.to_thread(self._store.remove, which)})
        except MemoryStoreError as error:
            raise _away(error) from error


def _which(given: Mapping[str, Any]) -> Which:
    names = {"id": "id", "kind": "kind", **_NAMES}
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise Refusal(400, "invalid_request", f"unknown fields: {', '.join(unknown)[:200]}")
    for name, value in given.items():
        if not isinstance(value, str) or not 1 <= len(value) <= 253 or "\x00" in value:  # noqa: PLR2004
            raise Refusal(400, "invalid_request", f"{name} must be text of 1 to 253 characters")
    return Which(**{names[name]: value for name, value in given.items()})


def _wire(item: Item) -> dict[str, Any]:
    found = asdict(item)
    return {
        "id": found["id"],
        "kind": found["kind"],
        "content": found["content"],
        "customerId": found["customer_id"] or None,
        "conversationId": found["conversation_id"] or None,
        "createdAt": found["created_at"],
    }


def _away(error: MemoryStoreError) -> Refusal:
    return Refusal(503, "memory_unavailable", str(error)[:300])
