"""The processes of a local server: started, recognised and ended without hitting a stranger."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hydracore_operator.providers.local import machine
from hydracore_operator.providers.local.record import ServerRecord

_STEP_SECONDS = 0.02
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""All that a server sees of the operator's environment, which may hold secrets."""


def machine_alive(record: ServerRecord) -> bool:
    """Whether the machine process of the record runs: this pid, started at this time."""
    if record.machine is None:
        return False
    pid, start_time = record.machine
    found = machine.stat_of(pid)
    return found is not None and found[0] != "Z" and found[3] == start_time


def start_machine(
    folder: Path, record: ServerRecord, command: Sequence[str], python: str
) -> subprocess.Popen[bytes]:
    """Start a machine process for the folder. Where one runs already, the new one ends itself."""
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    env.update({"HOME": str(folder), machine.ID_VARIABLE: record.id})
    arguments = ["--dir", str(folder), "--id", record.id, "--", *command]
    return subprocess.Popen(  # noqa: S603 - our own supervisor
        [python, "-I", "-S", machine.__file__, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=env,
        start_new_session=True,
    )


def members(record: ServerRecord) -> list[int]:
    """Return the live processes of a server: its machine, its session, and what bears its id."""
    marker = f"{machine.ID_VARIABLE}={record.id}".encode()
    session = _own_session(record)
    out = []
    for pid in machine.all_pids():
        found = machine.stat_of(pid)
        if found is None or found[0] == "Z" or pid == os.getpid():
            continue
        if (session is not None and found[2] == session) or _bears(pid, marker):
            out.append(pid)
    return out


def _own_session(record: ServerRecord) -> int | None:
    """Return the machine's session id unless its number now belongs to another process."""
    if record.machine is None:
        return None
    pid, start_time = record.machine
    found = machine.stat_of(pid)
    return pid if found is None or found[3] == start_time else None


def _bears(pid: int, marker: bytes) -> bool:
    try:
        return marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, PermissionError):
        return False


async def end_all(record: ServerRecord, *, term_seconds: float, kill_seconds: float) -> list[int]:
    """End all processes of a server: the machine is asked, then all are killed.

    Returns:
        The processes that are still there; empty when all are gone.
    """
    if machine_alive(record) and record.machine is not None:
        _signal(record.machine[0], signal.SIGTERM)
        await wait_until(lambda: not machine_alive(record), term_seconds)
    end = time.monotonic() + kill_seconds
    while left := await asyncio.to_thread(members, record):
        for pid in left:
            _signal(pid, signal.SIGKILL)
        if time.monotonic() >= end:
            return left
        await asyncio.sleep(_STEP_SECONDS)
    return []


async def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Poll until ``done`` or the time is over; return whether it was done."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(_STEP_SECONDS)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
