"""How PostgreSQL is connected to: isolation, deadlines, and what happens to a silent server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any, TypeVar

from psycopg import AsyncConnection, Error
from psycopg.abc import PQGen
from sqlalchemy import URL

GRACE_SECONDS = 1.0
"""How much later than its statement timeout a server may answer before we hang up."""
MIGRATION_LOCK_SECONDS = 60.0
"""How long a migration waits for another one, or for those who use the tables."""

_Answer = TypeVar("_Answer")


class BoundedConnection(AsyncConnection):
    """A connection that is cut when the server stays silent.

    The server ends late statements itself. One that is frozen, or behind a cut network, cannot;
    the driver would then wait for it without end, and twice five seconds more when cancelled.
    """

    limit_seconds: float | None = None

    async def wait(
        self,
        gen: PQGen[_Answer],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109  # the driver's own
    ) -> _Answer:
        """Wait for one answer of the server; after ``limit_seconds`` the connection is cut."""
        if self.limit_seconds is None:
            return await super().wait(gen, interval, timeout)
        loop = asyncio.get_running_loop()
        watchdog = loop.call_later(self.limit_seconds, self.hang_up)
        try:
            return await super().wait(gen, interval, timeout)
        finally:
            watchdog.cancel()

    async def cancel_safe(self, *, timeout: float = GRACE_SECONDS) -> None:  # noqa: ASYNC109
        """Ask the server to end the statement, so that its locks go; if it is silent, hang up."""
        try:
            await super().cancel_safe(timeout=min(timeout, GRACE_SECONDS))
        except Exception:
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """Cut the connection: whoever waits for an answer sees its end at once."""
        # A connection that is closed already has no socket, or one that has no other end.
        with (
            contextlib.suppress(OSError, Error),
            socket.socket(fileno=os.dup(self.fileno())) as same,
        ):
            same.shutdown(socket.SHUT_RDWR)


def hurried(url: URL, timeout_seconds: float) -> dict[str, Any]:
    """Return the engine's options for daily work.

    Args:
        url: The database; ``options`` in its query go to the server after ours.
        timeout_seconds: How long a statement may wait for a lock or a connection.
    """
    limits = {
        "lock_timeout": timeout_seconds,
        # A little later, so that a wait for a lock is called that.
        "statement_timeout": timeout_seconds + GRACE_SECONDS / 2,
        # The locks of a process that hangs, or whose machine is gone, must not outlive it long.
        "idle_in_transaction_session_timeout": timeout_seconds + 2 * GRACE_SECONDS,
    }
    return _options(url, limits, timeout_seconds, timeout_seconds + GRACE_SECONDS)


def patient(url: URL, timeout_seconds: float) -> dict[str, Any]:
    """Return the engine's options for migrations, whose statements may take their time."""
    return _options(url, {"lock_timeout": MIGRATION_LOCK_SECONDS}, timeout_seconds, None)


def _options(
    url: URL, limits: dict[str, float], connect_seconds: float, limit_seconds: float | None
) -> dict[str, Any]:
    async def connect(*args: Any, **kwargs: Any) -> BoundedConnection:
        made = await BoundedConnection.connect(*args, **kwargs)
        made.limit_seconds = limit_seconds
        return made

    ours = [f"-c {name}={int(seconds * 1000)}" for name, seconds in limits.items()]
    theirs = url.query.get("options", ())
    return {
        # Whatever the server's default is; database.py says what it is relied on for.
        "isolation_level": "READ COMMITTED",
        "connect_args": {
            "async_creator_fn": connect,
            "connect_timeout": max(2, int(connect_seconds)),  # libpq knows no less
            "options": " ".join([*ours, *((theirs,) if isinstance(theirs, str) else theirs)]),
        },
    }
