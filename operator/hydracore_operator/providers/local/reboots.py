"""Which reboots a local server has begun: one line each in ``reboots.jsonl``, before it begins."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

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
    """Return the reboot of this request, or None; a line cut short by a crash counts as none.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        lines = (folder / FILE).read_text().splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        try:
            raw = json.loads(line)
            if raw["requestId"] == request_id:
                machine = (
                    (int(raw["machine"][0]), int(raw["machine"][1])) if raw["machine"] else None
                )
                return Begun(request_id, datetime.fromisoformat(raw["at"]), machine)
        except (ValueError, KeyError, TypeError, IndexError):
            continue
    return None


def note(folder: Path, begun: Begun) -> None:
    """Add a reboot; durable on return.

    Raises:
        OSError: it could not be written.
    """
    line = {
        "requestId": begun.request_id,
        "at": format_time(begun.at),
        "machine": list(begun.machine) if begun.machine else None,
    }
    with (folder / FILE).open("a") as file:
        # A line that a crash cut short must not swallow this one.
        file.write(("\n" if file.tell() else "") + json.dumps(line))
        file.flush()
        os.fsync(file.fileno())
