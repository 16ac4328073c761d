"""The ``Range`` header (RFC 9110, section 14): one range of bytes."""

from __future__ import annotations

import re

from hydracore_api.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of the wanted bytes.

    Args:
        header: The header's value.
        size: Size of the whole in bytes.

    Returns:
        None where all is wanted; also for several ranges or another unit, as the RFC allows.

    Raises:
        RangeNotSatisfiable: It begins at or after the end.
    """
    match = _RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        if int(last) == 0:
            raise _outside(size)
        return max(0, size - int(last)), size
    start, end = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise _outside(size)
    return start, end


def _outside(size: int) -> RangeNotSatisfiable:
    error = RangeNotSatisfiable(f"The artifact has {size} bytes")
    error.headers = {"Content-Range": f"bytes */{size}"}  # type: ignore[misc]
    return error
