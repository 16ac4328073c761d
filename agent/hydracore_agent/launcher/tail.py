"""The end of a log file, and keeping it from growing for ever."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hydracore_agent.logs import redact

TAIL_BYTES = 16 * 1024
MAX_BYTES = 4 * 1024 * 1024
KEPT_BYTES = 256 * 1024
MAX_CAUSE = 400
ROUTINE = re.compile(r"\d{4}-\d\d-\d\d \S+ (?:INFO|DEBUG) ")
"""How lines of the agent's log begin that name no trouble."""


def last_lines(log: Path, start: int, count: int = 1) -> str:
    """Return the last lines written after ``start`` that may name a cause, joined by slashes."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(start if start <= size else 0, size - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not ROUTINE.match(line)]
    return redact(" / ".join(lines[-count:]))[:MAX_CAUSE]


def trim(log: Path) -> None:
    """Cut a log that has grown too long; its end is kept beside it as ``<name>.1``.

    The writer appends, so it goes on at the new end.
    """
    try:
        with log.open("r+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            if size <= MAX_BYTES:
                return
            stream.seek(size - KEPT_BYTES)
            log.with_name(log.name + ".1").write_bytes(stream.read(KEPT_BYTES))
            stream.truncate(0)
    except OSError:
        return
