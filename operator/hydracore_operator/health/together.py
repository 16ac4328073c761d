"""Several loops as one."""

from __future__ import annotations

import asyncio
from typing import Any

from hydracore_operator.controller.reconciler import Loop, Measured


class Together:
    """Runs loops side by side; where one fails, all end."""

    def __init__(self, *loops: Loop) -> None:
        self._loops = loops

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                group.create_task(loop.run(), name=type(loop).__name__)

    def metrics(self) -> dict[str, Any]:
        """Return the figures of all loops that have some."""
        found: dict[str, Any] = {}
        for loop in self._loops:
            if isinstance(loop, Measured):
                found |= loop.metrics()
        return found
