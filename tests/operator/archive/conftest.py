"""A history on each kind of database, that may be locked by somebody else, as a backup would."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

from hydracore_history import History
from tests.support.databases import (
    database_url,
    postgres_model,
    postgres_url,
    sqlite_model,
    sqlite_url,
)

__all__ = ["database_url", "postgres_model", "postgres_url", "sqlite_model", "sqlite_url"]

Lock = Callable[[], AbstractContextManager[None]]


@pytest.fixture
async def history(database_url: str) -> AsyncIterator[History]:
    """A history that gives up soon."""
    found = History(database_url, timeout_seconds=0.3)
    yield found
    await found.close()


@pytest.fixture
def locked(database_url: str) -> Lock:
    """Keep everybody else from writing, by a real lock."""
    return lambda: _locked(database_url)


@contextmanager
def _locked(url: str) -> Iterator[None]:
    if url.startswith("sqlite"):
        holder = sqlite3.connect(url.partition(":///")[2], isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.close()
        return
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for table in ("executions", "rollout_archive", "rollout_archive_heads", "transitions"):
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
