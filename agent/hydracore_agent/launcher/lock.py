"""One launcher per folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hydracore_agent.errors import AgentError


class LockedError(AgentError):
    """Another launcher serves the folder."""


def take_lock(path: Path) -> int:
    """Return a descriptor that holds the lock until it is closed or the process ends.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockedError(
            f"another launcher already serves {path.parent.parent}: stop it first"
        ) from None
    return descriptor
