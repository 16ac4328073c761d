"""Which reboots a local server has begun, or must not begin: one line each in ``reboots.jsonl``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydracore_crds.base import format_time

FILE = "reboots.jsonl"


@dataclass(frozen=True, slots=True)
class Begun:
    """A reboot that was begun.

    Attributes:
        machine: Pid and start time of the machine that was to end; None if none ran.
    """

    request_id: str
    at: datetime
    machine: tuple[int, int] | None


def find(folder: Path, request_id: str) -> Begun | None:
    """Return the reboot of this request, or None.

    Raises:
        OSError: the file cannot be read.
    """
    for line in _lines(folder, request_id):
        if line.get("event") == "begun":
            machine = line["machine"]
            ended = (int(machine[0]), int(machine[1])) if machine else None
            return Begun(request_id, datetime.fromisoformat(line["at"]), ended)
    return None


def is_forbidden(folder: Path, request_id: str) -> bool:
    """Whether this request was given up before it began.

    Raises:
        OSError: the file cannot be read.
    """
    return any(line.get("event") == "forbidden" for line in _lines(folder, request_id))


def note(folder: Path, begun: Begun) -> None:
    """Add a reboot that begins; durable on return.

    Raises:
        OSError: it could not be written.
    """
    machine = list(begun.machine) if begun.machine else None
    line = {"requestId": begun.request_id, "event": "begun", "at": format_time(begun.at)}
    _append(folder, {**line, "machine": machine})


def forbid(folder: Path, request_id: str, at: datetime) -> None:
    """Add that a request must not begin any more; durable on return.

    Raises:
        OSError: it could not be written.
    """
    _append(folder, {"requestId": request_id, "event": "forbidden", "at": format_time(at)})


def _lines(folder: Path, request_id: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of one request; one cut short by a crash counts as none."""
    try:
        lines = (folder / FILE).read_text().splitlines()
    except FileNotFoundError:
        return
    for text in lines:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and line.get("requestId") == request_id:
            yield line


def _append(folder: Path, line: dict[str, Any]) -> None:
    with (folder / FILE).open("a") as file:
        # A line that a crash cut short must not swallow this one.
        file.write(("\n" if file.tell() else "") + json.dumps(line))
        file.flush()
        os.fsync(file.fileno())
