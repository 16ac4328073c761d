"""What the archives share: a head names an object's newest revision; other content adds one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.sql.dml import ReturningInsert

from hydracore_crds.base import parse_time
from hydracore_history.database import Database
from hydracore_history.tables import ActionArchiveHead, ArchiveHead


def digest(wires: Sequence[dict[str, Any]]) -> str:
    """Return the SHA-256 of objects in their wire form, whatever the order of their keys."""
    everything = json.dumps(list(wires), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(everything.encode()).hexdigest()


def advance(
    database: Database, head: type[ArchiveHead | ActionArchiveHead], uid: str, content: str
) -> ReturningInsert[int]:
    """Return the statement that makes room for content with this digest.

    It yields the new revision's number, and nothing where the newest has this digest already.
    The head's row stays locked to the end of the transaction: one archives at a time.
    """
    statement = database.insert(head).values(uid=uid, revision=1, digest=content)
    return statement.on_conflict_do_update(
        index_elements=[head.uid],
        set_={"revision": head.revision + 1, "digest": content},
        where=head.digest != content,
    ).returning(head.revision)


def created_at(wire: dict[str, Any], fallback: datetime) -> datetime:
    """Return when an object was created, by its metadata."""
    parsed = parse_time(wire.get("metadata", {}).get("creationTimestamp"))
    return parsed if isinstance(parsed, datetime) else fallback
