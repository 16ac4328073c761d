"""File locks: the kernel drops them with the process, so none is ever left behind."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.1


class LockHeldError(Exception):
    """Another process holds the lock."""


def _try_lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


@contextmanager
def hold(path: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock during the body; wait at most so long for another holder.

    Raises:
        LockHeldError: another process still holds it.
    """
    deadline = time.monotonic() + wait_seconds
    while (handle := _try_lock(path)) is None:
        if time.monotonic() >= deadline:
            raise LockHeldError(f"{path} is held by another process")
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Return whether some process holds the lock now."""
    if not path.parent.is_dir():
        return False
    handle = _try_lock(path)
    if handle is None:
        return True
    os.close(handle)
    return False
