"""Files that survive a kill at any moment: written beside, synced, then renamed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace the file's content; readers see the old or the new, never a part.

    Raises:
        OSError: it could not be written; the old content stands.
    """
    staged = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, content: Any, mode: int = 0o600) -> None:
    """Like :func:`write_atomic`, with the content as JSON."""
    write_atomic(path, json.dumps(content, indent=1).encode() + b"\n", mode)


def read_json(path: Path, longest: int = 16 * 1024 * 1024) -> Any:
    """Return the parsed file, or None if there is none.

    Raises:
        ValueError: it is not JSON in UTF-8, or is longer than ``longest`` bytes.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(longest + 1)
    except FileNotFoundError:
        return None
    if len(content) > longest:
        raise ValueError(f"{path.name} is longer than {longest} bytes")
    return json.loads(content)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(folder: Path) -> None:
    """Remove a folder if it is there; what cannot be removed is left."""
    shutil.rmtree(folder, ignore_errors=True)
