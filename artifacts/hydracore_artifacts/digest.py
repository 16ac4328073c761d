"""SHA-256 of files, read in pieces."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

PIECE = 1024 * 1024
"""Bytes read at a time."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What identifies an artifact: its SHA-256 (lower-case hex) and its size in bytes."""

    sha256: str
    size_bytes: int


def digest_file(path: Path) -> Digest:
    """Return digest and size of the file, holding at most one piece of it in memory.

    Raises:
        OSError: the file cannot be read.
    """
    hasher = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while piece := stream.read(PIECE):
            hasher.update(piece)
            size += len(piece)
    return Digest(hasher.hexdigest(), size)
