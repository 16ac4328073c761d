"""Hundreds of polls as one statement with one parameter: their rows as JSON.

Rows as parameters cost far more. SQLite's driver lets go of the interpreter for each of them, so
that in a busy process every row waits for its turn; and each value is converted by itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import TextClause, text

from hydracore_history.columns import clean
from hydracore_history.records import PollRecord

MAX_ERROR = 2048

_INSERT = """
INSERT INTO instance_health
    (instance_id, failures, last_poll_at, last_status, last_error, latency_ms)
{source}
ON CONFLICT (instance_id) DO UPDATE SET
    failures = {failures},
    last_poll_at = excluded.last_poll_at,
    last_status = COALESCE(excluded.last_status, instance_health.last_status),
    last_error = excluded.last_error,
    latency_ms = COALESCE(excluded.latency_ms, instance_health.latency_ms)
"""
_SQLITE = """
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
    json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
FROM json_each(:rows) WHERE true
"""
_POSTGRESQL = """
SELECT r ->> 0, CAST(r ->> 1 AS integer), CAST(r ->> 2 AS timestamptz), CAST(r ->> 3 AS json),
    r ->> 4, CAST(r ->> 5 AS double precision)
FROM json_array_elements(CAST(:rows AS json)) AS r
"""
_SOURCES = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
_ON_TOP = {False: "excluded.failures", True: "instance_health.failures + excluded.failures"}


def statement(dialect: str, *, on_top: bool) -> TextClause:
    """Return the statement that stores polls; its parameter ``rows`` is made by :func:`rows`.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        on_top: Whether failures come on top of those that are stored.
    """
    source, failures = _SOURCES[dialect].strip(), _ON_TOP[on_top]
    return text(_INSERT.format(source=source, failures=failures))


def rows(records: Sequence[PollRecord], dialect: str) -> str:
    """Return the parameter, in the order in which all writers go through the table.

    So two of them never wait for each other.
    """
    ordered = sorted(records, key=lambda one: one.instance_id)
    return dump([_row(one, dialect) for one in ordered])


def dump(value: Any) -> str:
    """Write JSON fast; numbers and text that orjson refuses the slow way."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)


def _row(record: PollRecord, dialect: str) -> list[Any]:
    return [
        record.instance_id,
        record.failures,
        _time(record.at, dialect),
        dump(record.status) if record.status is not None else None,
        bounded(record.error),
        record.latency_ms,
    ]


def bounded(error: str | None) -> str | None:
    """Return an error's text as it may be stored."""
    return clean(error)[:MAX_ERROR] if error is not None else None


def _time(at: datetime, dialect: str) -> str:
    """Return a time as the column's type stores it; see :class:`UtcDateTime`."""
    if at.tzinfo is None:
        raise ValueError(f"a time without zone cannot be stored: {at!r}")
    utc = at.astimezone(UTC)
    if dialect == "sqlite":
        utc = utc.replace(tzinfo=None)
    return utc.isoformat(sep=" ", timespec="microseconds")
