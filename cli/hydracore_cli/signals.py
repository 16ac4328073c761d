"""Being told to end is the same as Ctrl-C: what was begun is put away first."""

from __future__ import annotations

import signal
from types import FrameType


def interrupt_when_told_to_end() -> None:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
