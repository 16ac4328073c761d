"""Tells a database that is away from a mistake of ours, and says what to do about it."""

from __future__ import annotations

import sqlite3

from sqlalchemy import URL
from sqlalchemy import exc as sa_exc

from hydracore_history.errors import HistoryError, HistoryUnavailable, SchemaOutdated

MAX_REASON = 300
CAUGHT = (sa_exc.DBAPIError, sa_exc.TimeoutError, TimeoutError, OSError)
"""What the drivers, the pool and our own deadlines raise."""

_SQLITE_AWAY = tuple(
    f"SQLITE_{code}"
    for code in (
        "BUSY",
        "LOCKED",
        "CANTOPEN",
        "IOERR",
        "FULL",
        "READONLY",
        "PROTOCOL",
        "NOTADB",
        "PERM",
    )
)
# https://www.postgresql.org/docs/15/errcodes-appendix.html
_POSTGRES_MISSING = frozenset({"42P01", "42703"})
_POSTGRES_BUSY = frozenset({"55P03", "57014", "40001", "40P01"})
_POSTGRES_FULL = frozenset({"53300", "53100", "53200"})
_POSTGRES_READ_ONLY = "25006"


def shown(url: URL) -> str:
    """Return a URL without its passwords, also those that stand in its query."""
    kept = {key: "hidden" if "password" in key else value for key, value in url.query.items()}
    return url.set(query=kept).render_as_string(hide_password=True)


def translate(error: BaseException, url: URL) -> HistoryError | None:
    """Return what a caller can act on; None for a mistake, which goes on as it is."""
    if _schema_missing(error):
        return SchemaOutdated(
            f"the database {shown(url)} lacks tables of this version: run `hydracore migrate`"
        )
    if not _away(error):
        return None
    advice = _sqlite_advice() if url.get_backend_name() == "sqlite" else _postgres_advice(error)
    return HistoryUnavailable(
        f"the database {shown(url)} cannot be used now ({_reason(error)}): {advice}"
    )


def _reason(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:MAX_REASON] or "no answer in time"


def _sqlite_advice() -> str:
    return "see that its folder exists, is writable and that no other program holds it"


def _postgres_advice(error: BaseException) -> str:
    state = _sqlstate(error)
    if state in _POSTGRES_BUSY:
        return "another session holds what it needs; pg_stat_activity and pg_locks name it"
    if state in _POSTGRES_FULL:
        return "the server is out of connections, memory or disk: give it more"
    if state == _POSTGRES_READ_ONLY:
        return "the server is a read-only standby: let the URL name the primary"
    return (
        "see that the server runs, can be reached from here, and that host, port, database, user "
        "and password in the URL are right"
    )


def _sqlstate(error: BaseException) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _schema_missing(error: BaseException) -> bool:
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.OperationalError):
        return str(cause).startswith(("no such table", "no such column"))
    return _sqlstate(error) in _POSTGRES_MISSING


def _away(error: BaseException) -> bool:
    if not isinstance(error, sa_exc.DBAPIError):
        return True
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "") or ""
        return error.connection_invalidated or name.startswith(_SQLITE_AWAY)
    if isinstance(error, sa_exc.OperationalError | sa_exc.InterfaceError):
        return True
    return _sqlstate(error) == _POSTGRES_READ_ONLY
