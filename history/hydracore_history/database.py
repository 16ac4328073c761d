"""Connections, transactions and deadlines for SQLite and PostgreSQL.

SQLite runs in WAL mode: readers never wait, writers take the write lock when they begin
(``BEGIN IMMEDIATE``), so that a transaction cannot fail half-way because another one wrote.

PostgreSQL runs READ COMMITTED, whatever its default is: each statement sees what was committed
before it. What must not be raced is decided by one statement (an upsert or an UPDATE with its
condition), whose row lock then holds until the end of the transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, NullPool, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from hydracore_history import faults
from hydracore_history.tables import Base

WRITE_OPTION = "hydracore_write"
WAL_TRIES = 20
GRACE_SECONDS = 2.0
"""How much longer than its own deadline the database may take before we give up on it."""


class Database:
    """One database: hands out sessions in a transaction, and turns its absence into one error."""

    def __init__(self, url: str, *, timeout_seconds: float = 5.0) -> None:
        """Prepare the engine; nothing is opened yet.

        Args:
            url: ``sqlite+aiosqlite:///…`` or ``postgresql+psycopg://…``.
            timeout_seconds: How long a statement may wait for a lock or a connection.

        Raises:
            ValueError: The URL is not one of the two.
        """
        parsed = make_url(url)
        self.dialect = parsed.get_backend_name()
        if parsed.drivername not in {"sqlite+aiosqlite", "postgresql+psycopg"}:
            raise ValueError(
                f"cannot use the database driver {parsed.drivername!r}: the URL must begin with "
                "sqlite+aiosqlite:// or postgresql+psycopg://"
            )
        self._url = parsed
        self.shown_url = faults.shown(parsed)
        self.timeout_seconds = timeout_seconds
        # Parameters hold hashes and messages: errors must not repeat them.
        options: dict[str, Any] = {"pool_timeout": timeout_seconds, "hide_parameters": True}
        self._patient: dict[str, Any] | None = None
        if self.dialect == "postgresql":
            from hydracore_history import postgres  # noqa: PLC0415  # its driver is slow to load

            options |= postgres.hurried(parsed, timeout_seconds) | {"pool_pre_ping": True}
            self._patient = postgres.patient(parsed, timeout_seconds)
        else:
            options["connect_args"] = {"timeout": timeout_seconds}
        self.engine = create_async_engine(parsed, **options)
        self._writing = self.engine.execution_options(**{WRITE_OPTION: True})
        # SQLite's lock is not fair; writers of one process queue here instead of polling it.
        self._write_turn: asyncio.Lock | None = None
        if self.dialect == "sqlite":
            self._write_turn = asyncio.Lock()
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    def insert(self, table: type[Base]) -> sqlite.Insert:
        """Return an INSERT that knows ``on_conflict_do_update`` and ``…_do_nothing``.

        Both dialects' inserts have the same methods; the type names SQLite's for both.
        """
        if self.dialect == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)  # type: ignore[return-value]

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Yield a session in a read transaction.

        Raises:
            HistoryUnavailable: The database is locked or away.
            SchemaOutdated: It has not been migrated.
        """
        with self._translated():
            async with asyncio.timeout(self.timeout_seconds + GRACE_SECONDS):
                async with AsyncSession(self.engine, expire_on_commit=False) as session:
                    yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Yield a session in a write transaction; it is committed at the end.

        Raises:
            HistoryUnavailable: The database is locked or away. Nothing was written, unless the
                connection broke during the commit itself; so writes must bear repetition.
            SchemaOutdated: It has not been migrated.
        """
        with self._translated():
            async with asyncio.timeout(self.timeout_seconds + GRACE_SECONDS), self._turn():
                session = AsyncSession(self._writing, expire_on_commit=False)
                async with session, session.begin():
                    yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Yield a bare connection in a write transaction, without a deadline (for migrations).

        Raises:
            HistoryUnavailable: The database is locked or away.
        """
        with self._translated():
            if self._patient is None:
                async with self._turn(), self._writing.begin() as connection:
                    yield connection
                return
            engine = create_async_engine(self._url, poolclass=NullPool, **self._patient)
            async with engine.begin() as connection:
                yield connection

    def _turn(self) -> AbstractAsyncContextManager[Any]:
        return self._write_turn if self._write_turn is not None else nullcontext()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except faults.CAUGHT as error:
            translated = faults.translate(error, self._url)
            if translated is None:
                raise
            raise translated from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite says how they begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Without this, INSERT OR REPLACE deletes rows past the triggers that refuse it.
    cursor.execute("PRAGMA recursive_triggers=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Switch to WAL, which several may do to a new file at once: SQLite refuses instead of waiting.

    Raises:
        sqlite3.OperationalError: Others hold the lock for longer than the connection waits.
    """
    for _ in range(WAL_TRIES - 1):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            # This waits for the lock, as long as the connection's timeout says.
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
        else:
            return
    cursor.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
