"""Tell a person how far a long step is, on a terminal or in a log."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

_LINE_SECONDS = 0.2
"""How often the line of a terminal is drawn again."""

_LOG_SECONDS = 15.0
"""How often a log gets a line."""


def duration(seconds: float) -> str:
    """Return a length of time as people say it: ``8 s``, ``6 min 06 s``."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"  # noqa: PLR2004


class Progress:
    """Writes lines; on a terminal the last one is drawn again and again."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to a stream.

        Args:
            out: Where to.
            clock: Seconds that only go forward.
        """
        self._out = out
        self._clock = clock
        self._terminal = out.isatty()
        self._drawn = float("-inf")
        self._open_line = False

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._end_line()
        self._out.write(f"{text}\n")
        self._out.flush()

    def step(self, text: str) -> None:
        """Show how far it is: at once on a terminal, now and then in a log."""
        now = self._clock()
        if now - self._drawn < (_LINE_SECONDS if self._terminal else _LOG_SECONDS):
            return
        self._drawn = now
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r\x1b[K{text[:width]}")
            self._open_line = True
        else:
            self._out.write(f"{text}\n")
        self._out.flush()

    def _end_line(self) -> None:
        if self._open_line:
            self._out.write("\r\x1b[K")
            self._open_line = False
