"""What can go wrong with the database, told apart by what a caller can do about it."""

from __future__ import annotations


class HistoryError(Exception):
    """Base of this package's errors."""


class HistoryUnavailable(HistoryError):  # noqa: N818  # it names a state, as in conditions
    """The database is locked or away. Trying again later may succeed; writes may be repeated."""


class SchemaOutdated(HistoryError):  # noqa: N818  # likewise
    """The database answers, but its tables are not those of this version: migrate first."""
