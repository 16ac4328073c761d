"""The raw stream of a watch: one JSON object a line, from a version on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

import aiohttp
import orjson

from hydracore_crds import Resource
from hydracore_kube.errors import Malformed, error_from_status
from hydracore_kube.transport import Transport

R = TypeVar("R", bound=Resource)
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
_TYPES = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")

WATCH_SECONDS = 300
"""For how long the server is asked to keep a stream open."""
SILENCE_SECONDS = 120.0
"""A live stream carries a bookmark about once a minute; after two it counts as dead."""
MAX_LINE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[R]):
    """One event.

    Attributes:
        type: What happened.
        obj: The object; None for a bookmark.
        resource_version: The version from which a new watch would go on.
    """

    type: EventType
    obj: R | None
    resource_version: str


async def watch_lines(
    transport: Transport, path: str, resource_version: str, timeout_seconds: int
) -> AsyncGenerator[tuple[EventType, dict[str, Any]], None]:
    """Yield ``(type, object)`` of every event until the server ends the stream.

    Raises:
        Gone: The version is too old (HTTP 410, or an ERROR event with code 410).
        Unavailable: The stream broke or fell silent.
    """
    params = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": resource_version,
        "timeoutSeconds": str(timeout_seconds),
    }
    deadlines = aiohttp.ClientTimeout(total=None, connect=5.0, sock_read=SILENCE_SECONDS)
    async with transport.exchange("GET", path, params=params, deadlines=deadlines) as response:
        buffer = bytearray()
        async for chunk in response.content.iter_any():
            buffer += chunk
            if len(buffer) > MAX_LINE_BYTES:
                raise Malformed(f"GET {path}: a watch event is larger than {MAX_LINE_BYTES} bytes")
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                if line.strip():
                    yield _event(line, path)


def _event(line: bytes, path: str) -> tuple[EventType, dict[str, Any]]:
    try:
        event = orjson.loads(line)
        type_, item = event["type"], event["object"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as fault:
        raise Malformed(f"GET {path}: a watch event is not readable: {fault!r}") from fault
    if type_ == "ERROR":
        code = item.get("code") if isinstance(item, dict) else None
        raise error_from_status(int(code or 500), item, what=f"GET {path} (watch)")
    if type_ not in _TYPES or not isinstance(item, dict):
        raise Malformed(f"GET {path}: a watch event of unknown type {type_!r}")
    return cast("EventType", type_), item
