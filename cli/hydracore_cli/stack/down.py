"""Ending a stack: the supervisor with its children, then the local servers."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hydracore_cli.errors import CliError
from hydracore_cli.stack import servers
from hydracore_cli.stack.layout import StackLayout
from hydracore_cli.stack.locks import LockHeldError, hold, is_held
from hydracore_cli.stack.record import StackRecord, load_record

SUPERVISOR_MODULE = "hydracore_cli.stack.supervisor"
TURN_SECONDS = 30.0
"""How long to wait for another ``up`` or ``down``; then an ``up`` that hangs is ended too."""
TERM_SECONDS = 40.0
KILL_SECONDS = 10.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was ended.

    Attributes:
        supervisor: The record of the supervisor that was ended, if one ran.
        servers: Names of the local servers that were ended.
        purged: Whether the state was removed.
    """

    supervisor: StackRecord | None
    servers: tuple[str, ...]
    purged: bool


def stop_stack(layout: StackLayout, *, purge: bool = False) -> Stopped:
    """End everything of the stack that runs; ending it twice does no harm.

    Raises:
        CliError: something does not end; names the processes.
    """
    if not layout.root.is_dir():
        return Stopped(None, (), purged=False)
    try:
        with hold(layout.start_lock, TURN_SECONDS):
            record = stop_supervisor(layout)
            ended = asyncio.run(servers.switch_off(layout.servers))
            if ended.left:
                numbers = ", ".join(str(pid) for pid in ended.left)
                raise CliError(
                    f"processes of local servers do not end: {numbers}; end them by hand"
                )
            if purge:
                _remove(layout)
            return Stopped(record, ended.names, purged=purge)
    except LockHeldError:
        raise CliError(
            f"an `up` or `down` of {layout.state_dir} is under way: interrupt it (Ctrl-C), then "
            "try again"
        ) from None


def stop_supervisor(layout: StackLayout) -> StackRecord | None:
    """End the supervisor, if one runs, and return its record.

    Raises:
        CliError: it does not end.
    """
    if not is_held(layout.supervisor_lock):
        return None
    record = _wait_record(layout)
    for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if _signal_and_wait(layout, record.pid, number, seconds):
            return record
    raise CliError(f"the supervisor (process {record.pid}) does not end: end it by hand")


def _wait_record(layout: StackLayout) -> StackRecord:
    """Return the running supervisor's record; it writes one right after it started."""
    deadline = time.monotonic() + KILL_SECONDS
    while True:
        record = load_record(layout.record)
        if record is not None and _is_supervisor(record.pid, layout):
            return record
        if time.monotonic() > deadline:
            raise CliError(
                f"a supervisor holds {layout.supervisor_lock}, but {layout.record} does not say "
                "which process it is: find it with `fuser` and end it by hand"
            )
        time.sleep(_POLL_SECONDS)


def _signal_and_wait(layout: StackLayout, pid: int, number: signal.Signals, seconds: float) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return True
    deadline = time.monotonic() + seconds
    while is_held(layout.supervisor_lock) or _is_supervisor(pid, layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _is_supervisor(pid: int, layout: StackLayout) -> bool:
    """Whether this process supervises this stack: a number alone may be another's by now."""
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return SUPERVISOR_MODULE.encode() in argv and os.fsencode(layout.state_dir) in argv


def _remove(layout: StackLayout) -> None:
    """Remove the state; what else lies in the state folder (caches) stays."""
    layout.env.unlink(missing_ok=True)
    shutil.rmtree(layout.root)
