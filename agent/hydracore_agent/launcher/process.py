"""A child process that dies with its parent, and waiting for it without waking up in between."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
BOOT = (
    "import json,runpy,sys;"
    "paths,module=json.loads(sys.argv[1]),sys.argv[2];"
    "sys.path.extend(p for p in paths if p not in sys.path);"
    "del sys.argv[1:3];"
    "runpy.run_module(module,run_name='__main__',alter_sys=True)"
)
"""Runs a module with nothing to import but the standard library and the paths given."""
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
KEPT_PREFIX = "HYDRACORE_SERVER_"
"""A provider marks the processes of a server with variables that begin so."""

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, how: signal.Signals) -> None:
    """Have the kernel send ``how`` when the parent dies; leave at once if it is dead already."""
    _libc.prctl(PR_SET_PDEATHSIG, int(how), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, isolated from site-packages and from the environment.

    Attributes:
        paths: Folders to import from, besides the standard library.
        module: Run as ``__main__``.
    """

    paths: Sequence[str]
    module: str
    arguments: Sequence[str]

    def argv(self) -> list[str]:
        """Return the command line."""
        boot = [sys.executable, "-I", "-S", "-c", BOOT]
        return [*boot, json.dumps(list(self.paths)), self.module, *self.arguments]


class Child:
    """A running child; its output goes to the end of a file."""

    def __init__(self, command: Command, log: Path) -> None:
        """Start it.

        Raises:
            OSError: it cannot be started, or the log cannot be opened.
        """
        parent = os.getpid()
        self.log = log
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.log_start = os.fstat(out).st_size
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command.argv(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=_environment(),
                # The launcher has one thread, so running Python between fork and exec is safe.
                preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),  # noqa: PLW1509
            )
        finally:
            os.close(out)
        self.descriptor = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def signal(self, which: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        self._process.send_signal(which)

    def close(self) -> None:
        """Kill it if it still runs, and let go of it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self.descriptor)


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_ENVIRONMENT or name.startswith(KEPT_PREFIX)
    }
    # One heap instead of one per thread: the agent's threads do little, memory counts.
    return {**kept, "MALLOC_ARENA_MAX": "1"}


class Waiter:
    """Waits for a child, for time and for a signal that ends the launcher."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.stopping = False

    def catch_signals(self) -> None:
        """Turn SIGTERM, SIGINT and SIGHUP into :attr:`stopping`."""
        for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(which, self.stop)

    def stop(self, _signum: int = 0, _frame: FrameType | None = None) -> None:
        """End every wait from now on."""
        self.stopping = True
        os.write(self._write, b"x")

    def wait(self, child: Child | None, seconds: float) -> None:
        """Return when the child ends, time is up or the launcher has to stop."""
        if self.stopping:
            return
        self.wait_for_exit(child, seconds, interruptible=True)

    def wait_for_exit(
        self, child: Child | None, seconds: float, *, interruptible: bool = False
    ) -> None:
        """Like :meth:`wait`; a stop interrupts it only if asked."""
        poll = select.poll()
        if interruptible:
            poll.register(self._read, select.POLLIN)
        if child is not None:
            poll.register(child.descriptor, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)
