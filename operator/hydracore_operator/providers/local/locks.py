"""File locks that hold between operators, waited for without blocking the event loop."""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hydracore_operator.providers.errors import ServerNotFoundError, TransientError

_STEP_SECONDS = 0.02


@asynccontextmanager
async def file_lock(path: Path, wait_seconds: float) -> AsyncIterator[None]:
    """Hold an exclusive lock on a file; it ends with the process at the latest.

    Raises:
        ServerNotFoundError: the file's folder is not there.
        TransientError: someone else held the lock all the time.
    """
    end = time.monotonic() + wait_seconds
    try:
        file = path.open("w")
    except (FileNotFoundError, NotADirectoryError):
        raise ServerNotFoundError(f"there is no server folder {path.parent.name}") from None
    with file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise TransientError(
                        f"{path.parent.name} was busy for {wait_seconds:.0f} s"
                    ) from None
                await asyncio.sleep(_STEP_SECONDS)
        yield
