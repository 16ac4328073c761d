"""A file with one line for each thing that happened to a task; only ever appended to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

MAX_BYTES = 8 * 1024 * 1024
TAIL_BYTES = 64 * 1024


class Ledger:
    """Appends events durably; a full file becomes ``<name>.1``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, event: dict[str, Any]) -> None:
        """Append one line and sync it.

        Raises:
            OSError: it could not be written.
        """
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a kill cut the last line
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if size > MAX_BYTES:
            self._path.replace(self._path.with_name(self._path.name + ".1"))

    def tail(self) -> list[dict[str, Any]]:
        """Return the last events, oldest first; cut lines are left out."""
        try:
            with self._path.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(0, size - TAIL_BYTES))
                lines = stream.read().splitlines()
        except FileNotFoundError:
            return []
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                events.append(event)
        return events
