"""A local server's folder and what is written in it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydracore_crds.base import format_time
from hydracore_operator.providers.local.machine import RECORD_FILE, read_record

USER_DATA_FILE = "user-data.json"
_DRAFT_PREFIX = ".new-"
_GONE_PREFIX = ".gone-"


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """``server.json``, read. ``machine`` is (pid, start time) once a machine has started."""

    id: str
    name: str
    labels: Mapping[str, str]
    host: str
    port: int
    server_type: str
    location: str
    created_at: datetime
    machine: tuple[int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form in the file, without the machine, which writes itself."""
        return {
            "id": self.id,
            "name": self.name,
            "labels": dict(self.labels),
            "host": self.host,
            "port": self.port,
            "serverType": self.server_type,
            "location": self.location,
            "createdAt": format_time(self.created_at),
        }


def load(folder: Path) -> ServerRecord | None:
    """Return the record of a folder, or None where it is not one of ours."""
    try:
        raw = read_record(folder)
        if raw is None:
            return None
        machine = raw.get("machine")
        return ServerRecord(
            id=str(raw["id"]),
            name=str(raw["name"]),
            labels={str(k): str(v) for k, v in raw["labels"].items()},
            host=str(raw["host"]),
            port=int(raw["port"]),
            server_type=str(raw["serverType"]),
            location=str(raw["location"]),
            created_at=datetime.fromisoformat(raw["createdAt"]),
            machine=(int(machine["pid"]), int(machine["startTime"])) if machine else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def records(root: Path) -> Iterator[tuple[Path, ServerRecord]]:
    """Yield every server folder with its record, by name."""
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.name.startswith("."):
            continue
        found = load(folder)
        if found is not None and found.name == folder.name:
            yield folder, found


def make_folder(root: Path, record: ServerRecord, user_data: Mapping[str, Any]) -> Path:
    """Make the server's folder; it appears under its name only when it is complete."""
    draft = root / f"{_DRAFT_PREFIX}{record.name}-{secrets.token_hex(4)}"
    draft.mkdir(mode=0o700)
    for part in ("state", "releases", "incoming", "log"):
        (draft / part).mkdir()
    _write_private(draft / USER_DATA_FILE, user_data)
    _write_private(draft / RECORD_FILE, record.to_json())
    folder = root / record.name
    draft.rename(folder)
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a server's folder: out of sight at once, then piece by piece."""
    gone = folder.with_name(f"{_GONE_PREFIX}{folder.name}-{secrets.token_hex(4)}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove what a crash in the middle of a creation or removal left behind."""
    for folder in root.glob(".*"):
        if folder.name.startswith((_DRAFT_PREFIX, _GONE_PREFIX)):
            shutil.rmtree(folder, ignore_errors=True)


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
