"""A file that one process at a time may hold; the kernel frees it when the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """An advisory lock on a file."""

    def __init__(self, path: Path) -> None:
        """Prepare; the file is made when the lock is first taken."""
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take it if nobody else holds it; return whether it is ours."""
        if self._handle is not None:
            return False
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Give it back; nothing happens when it is not ours."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
