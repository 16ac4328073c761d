"""Conversations on disk: one bounded JSON file each."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from hydracore_agent.files import read_json, write_json

log = logging.getLogger(__name__)

CONVERSATION_ID = re.compile(r"[A-Za-z0-9:_-]{1,128}")
MAX_MESSAGES = 200
MAX_CONVERSATIONS = 500


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        role: ``user`` or ``assistant``.
        at: When, as on the wire.
    """

    role: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of conversations says of one.

    Attributes:
        messages: How many are kept.
        first_at: Of the oldest one that is kept, as on the wire.
        last_at: Of the newest one.
    """

    id: str
    messages: int
    first_at: str
    last_at: str


class Conversations:
    """Reads and appends; the oldest messages and conversations go when there are too many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def history(self, conversation_id: str) -> list[Message]:
        """Return the messages, oldest first; a damaged file counts as empty.

        Raises:
            OSError: it cannot be read.
        """
        path = self._path(conversation_id)
        try:
            data = read_json(path)
            return [Message(**item) for item in data["messages"]] if data else []
        except (ValueError, TypeError, KeyError):
            log.warning("conversation file %s is damaged and starts anew", path.name)
            return []

    def append(self, conversation_id: str, messages: list[Message]) -> None:
        """Append messages.

        Raises:
            OSError: they cannot be written.
        """
        kept = [*self.history(conversation_id), *messages][-MAX_MESSAGES:]
        path = self._path(conversation_id)
        if not path.exists():
            self._make_room()
        content = {"id": conversation_id, "messages": [asdict(message) for message in kept]}
        write_json(path, content)

    def latest(self, limit: int) -> list[Summary]:
        """Return the conversations that were written last, the newest first; no damaged ones.

        Raises:
            OSError: they cannot be read.
        """
        found: list[Summary] = []
        for path in sorted(self._folder.glob("*.json"), key=_written, reverse=True):
            if len(found) == limit:
                break
            try:
                data = read_json(path)
                said = data["messages"]
                first, last = said[0]["at"], said[-1]["at"]
                found.append(Summary(data["id"], len(said), first, last))
            except (ValueError, TypeError, KeyError, IndexError):
                log.warning("conversation file %s is damaged and left out", path.name)
        return found

    def _path(self, conversation_id: str) -> Path:
        return self._folder / (hashlib.sha256(conversation_id.encode()).hexdigest() + ".json")

    def _make_room(self) -> None:
        files = sorted(self._folder.glob("*.json"), key=_written)
        for path in files[: max(0, len(files) - MAX_CONVERSATIONS + 1)]:
            path.unlink(missing_ok=True)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # it has made room just now
