"""How PostgreSQL is connected to: isolation, deadlines, and what happens to a silent server."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from psycopg import AsyncConnection, Error
from sqlalchemy import URL

GRACE_SECONDS = 1.0
"""How long a server may take to answer a cancellation before we hang up."""
MIGRATION_LOCK_SECONDS = 60.0
"""How long a migration waits for another one, or for those who use the tables."""


class BoundedConnection(AsyncConnection):
    """A connection that is cut when the server does not even answer a cancellation.

    The server ends late statements itself. One that is frozen, or behind a cut network, cannot;
    the driver would then wait for it twice five seconds more after our own deadline.
    """

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
    return _options(url, limits, timeout_seconds)


def patient(url: URL, timeout_seconds: float) -> dict[str, Any]:
    """Return the engine's options for migrations, whose statements may take their time."""
    return _options(url, {"lock_timeout": MIGRATION_LOCK_SECONDS}, timeout_seconds)


def _options(url: URL, limits: dict[str, float], connect_seconds: float) -> dict[str, Any]:
    ours = [f"-c {name}={int(seconds * 1000)}" for name, seconds in limits.items()]
    theirs = url.query.get("options", ())
    return {
        # Whatever the server's default is; database.py says what it is relied on for.
        "isolation_level": "READ COMMITTED",
        "connect_args": {
            "async_creator_fn": BoundedConnection.connect,
            "connect_timeout": max(2, int(connect_seconds)),  # libpq knows no less
            "options": " ".join([*ours, *((theirs,) if isinstance(theirs, str) else theirs)]),
        },
    }
