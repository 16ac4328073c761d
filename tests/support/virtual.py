"""An event loop whose time passes only when nobody has anything to do, and then at once.

Hours of ``asyncio.sleep``, timeouts and deadlines take milliseconds, and what runs in it runs in
the same order every time. There is no I/O in it: whoever waits for a socket waits for ever, and
that is an error here.

The library looptime does more (real I/O beside compressed time, marks for tests), and for that it
spends some forty empty turns of the loop on every jump and puts itself into every other test's
loop.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class StalledError(RuntimeError):
    """Everybody waits for something that cannot come."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; its time begins at 0. Close it after use."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        super().__init__(_Jumps(self))

    def time(self) -> float:
        return self._elapsed

    def jump(self, seconds: float) -> None:
        """Let time pass while nobody has anything to do."""
        self._elapsed += seconds

    def shut(self) -> None:
        """Cancel whatever is left, let it end, and close the loop."""
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(asyncio.wait(left))
        self.close()


class _Jumps(selectors.SelectSelector):
    """Nothing ever becomes ready; to wait is to let time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        if timeout is None:
            raise StalledError("everybody waits, and no time would change that")
        if timeout > 0:
            self._loop.jump(timeout)
        return []
