"""A child process with a log of its own that never outlives its parent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_MAX_LOG_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 16 * 1024
_KILL_SECONDS = 30.0


def die_with_parent(parent: int) -> Callable[[], None]:
    """Return a function for the child, run between fork and exec.

    The kernel then kills the child when the thread that started it ends, however it ends.

    Args:
        parent: Process id of the parent; a child whose parent is gone already exits at once.
    """

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


class ManagedProcess:
    """One process of the control plane.

    It must be started from a thread that lives as long as the cluster (the main thread).
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a process; ``env`` is its whole environment, without one it has almost none."""
        self.name = name
        self.log = log
        self._env = env
        self._argv = [str(a) for a in argv]
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Start it in a session of its own, its output in the log."""
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as out:
            self._log_start = out.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own binaries, no shell
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                env=self._env or {"PATH": os.defpath, "HOME": str(self.log.parent)},
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509 - only calls prctl
            )

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status once it ended (negative: the signal that ended it)."""
        return None if self._process is None else self._process.poll()

    def output(self) -> str:
        """Return the end of what this run (not an earlier one) wrote, at most 16 KiB."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _TAIL_BYTES))
            return log.read().decode(errors="replace")

    def tail(self, lines: int = 8) -> str:
        """Return the last lines of its log, indented, for an error message."""
        found = self.output().strip().splitlines()[-lines:]
        return "\n".join(f"  {self.name}: {line[:500]}" for line in found) or "  (empty log)"

    async def stop(self, grace_seconds: float) -> None:
        """Ask it to end, kill it when it has not within the grace; returns when it is gone."""
        if self._process is None:
            return
        if self.alive and grace_seconds > 0:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, grace_seconds)
        if self.alive:
            self._process.kill()
        # SIGKILL cannot be refused, but the kernel needs a moment to tear the process down.
        await asyncio.to_thread(self._process.wait, _KILL_SECONDS)
