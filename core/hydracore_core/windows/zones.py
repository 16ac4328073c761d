"""Time zones by name, from the ``tzdata`` package and nothing else.

The machine's own zone files are left alone: operator and API then agree on every machine, and a
container without such files works. What is known changes only with the lock file.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


class UnknownZoneError(Exception):
    """There is no time zone of this name."""


@cache
def names() -> frozenset[str]:
    """Return every known name."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


@cache
def zone(name: str) -> tzinfo:
    """Return a time zone.

    Args:
        name: A name of the IANA database, for instance ``Europe/Berlin``.

    Raises:
        UnknownZoneError: There is none of this name.
    """
    if name not in names():
        raise UnknownZoneError(
            f"the time zone {name!r} is not known: write a name of the IANA database, "
            "for example 'Europe/Berlin' or 'Etc/UTC'"
        )
    if name in {"Etc/UTC", "UTC"}:
        return UTC
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
