"""How the detached supervisor tells ``up`` what it is doing: a file of JSON lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

EventKind = Literal["begin", "end", "note", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One thing to tell: a stage begins or ends, a note, or the end of starting."""

    kind: EventKind
    text: str = ""
    usual_seconds: float | None = None


class ProgressWriter:
    """Appends events; each line is written whole."""

    def __init__(self, path: Path) -> None:
        """Start an empty file."""
        self._path = path
        path.write_bytes(b"")

    def write(self, event: ProgressEvent) -> None:
        """Append one event."""
        with self._path.open("a") as stream:
            stream.write(json.dumps(asdict(event)) + "\n")


class ProgressReader:
    """Reads events as they come, from the start of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def read(self) -> list[ProgressEvent]:
        """Return the events that came since the last call; half-written lines wait."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._position)
                content = stream.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._position += len(whole)
        return [ProgressEvent(**json.loads(line)) for line in whole.splitlines()]
