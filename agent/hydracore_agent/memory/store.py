"""Facts and procedures in SQLite: each once, the oldest go when there are too many."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.errors import AgentError

MAX_ITEMS = 10_000
BUSY_SECONDS = 3.0
KINDS = ("fact", "procedure")

_TABLE = """
CREATE TABLE IF NOT EXISTS items (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (kind, content, customer_id, conversation_id)
)
"""
_COLUMNS = "id, kind, content, customer_id, conversation_id, created_at"


class MemoryStoreError(AgentError):
    """What is remembered cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is remembered.

    Attributes:
        kind: ``fact`` or ``procedure``.
        customer_id: Whom it is about; empty: anybody.
        conversation_id: Where it was said; empty: in none.
        created_at: When, as on the wire.
    """

    id: str
    kind: str
    content: str
    customer_id: str
    conversation_id: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Which:
    """Which items are meant; empty fields leave it open."""

    id: str = ""
    kind: str = ""
    customer_id: str = ""
    conversation_id: str = ""

    def where(self) -> tuple[str, list[str]]:
        """Return the condition and its parameters."""
        fields = ("id", "kind", "customer_id", "conversation_id")
        given = [(name, getattr(self, name)) for name in fields if getattr(self, name)]
        condition = " AND ".join(f"{name} = ?" for name, _ in given) or "TRUE"
        return condition, [value for _, value in given]


class MemoryStore:
    """Reads and writes one file; each call stands for itself and may run in any thread."""

    def __init__(self, path: Path, now: Clock) -> None:
        """Take the file, which is made when something is first remembered."""
        self._path = path
        self._now = now

    def add(self, kind: str, content: str, customer_id: str, conversation_id: str) -> Item:
        """Remember something; the same again is the same item.

        Raises:
            MemoryStoreError: it cannot be stored.
        """
        key = (kind, content, customer_id, conversation_id)
        with self._transaction() as base:
            base.execute(
                f"INSERT INTO items ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) "  # noqa: S608  # fixed names
                "ON CONFLICT DO NOTHING",
                (str(uuid.uuid4()), *key, to_wire(self._now())),
            )
            base.execute(
                "DELETE FROM items WHERE seq <= (SELECT max(seq) FROM items) - ?", (MAX_ITEMS,)
            )
            row = base.execute(
                f"SELECT {_COLUMNS} FROM items WHERE kind = ? AND content = ? "  # noqa: S608  # fixed names
                "AND customer_id = ? AND conversation_id = ?",
                key,
            ).fetchone()
        return Item(*row)

    def find(self, which: Which, limit: int) -> list[Item]:
        """Return items, the newest first.

        Raises:
            MemoryStoreError: they cannot be read.
        """
        condition, values = which.where()
        with self._transaction() as base:
            rows = base.execute(
                f"SELECT {_COLUMNS} FROM items WHERE {condition} "  # noqa: S608  # fixed names
                "ORDER BY seq DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [Item(*row) for row in rows]

    def count(self) -> int:
        """Return how many items there are.

        Raises:
            MemoryStoreError: they cannot be read.
        """
        with self._transaction() as base:
            return int(base.execute("SELECT count(*) FROM items").fetchone()[0])

    def remove(self, which: Which) -> int:
        """Forget items; return how many there were.

        Raises:
            MemoryStoreError: they cannot be removed.
        """
        condition, values = which.where()
        with self._transaction() as base:
            return base.execute(f"DELETE FROM items WHERE {condition}", values).rowcount  # noqa: S608  # fixed names

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            base = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise MemoryStoreError(f"the memory cannot be opened: {error}") from error
        try:
            base.execute("PRAGMA secure_delete=ON")
            base.execute("BEGIN IMMEDIATE")
            base.execute(_TABLE)
            yield base
            base.execute("COMMIT")
        except sqlite3.Error as error:
            raise MemoryStoreError(f"the memory cannot be used: {error}") from error
        finally:
            base.close()
