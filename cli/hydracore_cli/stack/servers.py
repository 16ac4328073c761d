"""Ending local servers; the operator switches them on again when the stack is up again.

They are not the supervisor's children, and ``down`` must end them also where operator and
supervisor are long gone; so this goes by the records in the servers' folders.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from hydracore_operator.providers.local.processes import end_all, members
from hydracore_operator.providers.local.record import ServerRecord, records

_TERM_SECONDS = 10.0
_KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StoppedServers:
    """Names of servers that were ended, and process ids that did not end."""

    names: tuple[str, ...]
    left: tuple[int, ...]


async def switch_off(root: Path) -> StoppedServers:
    """End all processes of all servers; their folders stay."""
    running = [record for _, record in records(root) if members(record)]
    left = await asyncio.gather(*(_end(record) for record in running))
    return StoppedServers(
        names=tuple(record.name for record in running),
        left=tuple(pid for pids in left for pid in pids),
    )


async def _end(record: ServerRecord) -> list[int]:
    return await end_all(record, term_seconds=_TERM_SECONDS, kill_seconds=_KILL_SECONDS)
