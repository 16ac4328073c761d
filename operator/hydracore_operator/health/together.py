"""Several loops as one."""

from __future__ import annotations

import asyncio

from hydracore_operator.reconciler import Loop


class Together:
    """Runs loops side by side; where one fails, all end."""

    def __init__(self, *loops: Loop) -> None:
        self._loops = loops

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                group.create_task(loop.run(), name=type(loop).__name__)
