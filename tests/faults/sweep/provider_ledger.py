"""What the local provider did to this machine: appended by its own steps, never taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_operator.providers.local import processes, record
from hydracore_operator.providers.local.record import ServerRecord

Entry = dict[str, str]


def keep(path: Path) -> None:
    """Have every step of this process's provider noted as soon as it has had its effect."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(event: str, server: ServerRecord) -> None:
        entry = {"event": event, "server": server.id, "instance": server.labels[INSTANCE_ID_LABEL]}
        os.write(file, f"{json.dumps(entry)}\n".encode())

    make, remove, start = record.make_folder, record.remove_folder, processes.start_machine

    @wraps(make)
    def make_folder(root: Path, made: ServerRecord, user_data: Any) -> Path:
        folder = make(root, made, user_data)
        note("made", made)
        return folder

    @wraps(remove)
    def remove_folder(folder: Path) -> None:
        found = record.load(folder)
        remove(folder)
        if found is not None:
            note("removed", found)

    @wraps(start)
    def start_machine(folder: Path, found: ServerRecord, command: Any, python: str) -> Any:
        process = start(folder, found, command, python)
        note("started", found)
        return process

    replacements: tuple[tuple[Any, Callable[..., Any]], ...] = (
        (record, make_folder),
        (record, remove_folder),
        (processes, start_machine),
    )
    for module, function in replacements:
        setattr(module, function.__name__, function)


def entries(path: Path, instance_id: str) -> list[Entry]:
    """Return what was done for one Instance id, in order."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [found for line in lines if (found := json.loads(line))["instance"] == instance_id]


def servers(path: Path, instance_id: str) -> list[str]:
    """Return the ids of all servers that were ever made for an Instance id."""
    return [found["server"] for found in entries(path, instance_id) if found["event"] == "made"]
