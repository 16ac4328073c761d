"""The "machine" of a local server: plays systemd's part for one server folder.

Run by path (``python -I -S machine.py --dir DIR --id ID -- COMMAND…``), standard library only, in a
session of its own, so that it outlives the operator that started it. It writes its pid and start
time into the folder's ``server.json``, starts the command with ``--dir DIR``, starts it again
``--restart-seconds`` after it ends, and on SIGTERM, or when the folder's ``server.json`` is gone,
ends everything that descends from it. As a subreaper it adopts orphans of that tree, so none can
hide; and the command dies with the machine (PR_SET_PDEATHSIG).

The provider imports the functions that both need.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RECORD_FILE = "server.json"
LOCK_FILE = "machine.lock"
LOG_FILE = "log/console.log"
ID_VARIABLE = "HYDRACORE_SERVER_ID"
"""In the environment of a machine and all that it starts, so that stragglers are recognised."""

ALREADY_RUNNING = 3
"""Exit status where another machine process holds the folder."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOG_LIMIT = 1024 * 1024
_TERM_SECONDS = 3.0
_KILL_SECONDS = 5.0
_WAITED = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
_libc = ctypes.CDLL(None, use_errno=True)


def stat_of(pid: int) -> tuple[str, int, int, int] | None:
    """Return state letter, parent, session and start time (clock ticks) of a process, or None."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[3]), int(fields[19])


def all_pids() -> list[int]:
    """Return the ids of all processes that can be seen."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the folder's record, or None where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / RECORD_FILE).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Replace the folder's record whole."""
    draft = folder / f".{RECORD_FILE}.{os.getpid()}"
    draft.write_text(json.dumps(record, indent=2) + "\n")
    draft.replace(folder / RECORD_FILE)


class Machine:
    """Runs one command in one server folder until it is told to stop."""

    def __init__(self, folder: Path, command: list[str], restart_seconds: float) -> None:
        self.folder = folder
        self.command = command
        self.restart_seconds = restart_seconds
        self.stopping = False
        self.child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Supervise until SIGTERM or until the folder is gone, then end the whole tree."""
        try:
            while not self._stopped():
                self._start()
                while not self._stopped() and self.child is not None:
                    self._wait(1.0)
                self._end_tree()
                self._pause(self.restart_seconds)
        finally:
            self._end_tree()

    def _stopped(self) -> bool:
        if not (self.folder / RECORD_FILE).exists():
            self.stopping = True
        return self.stopping

    def _start(self) -> None:
        """Start the command; where that is impossible, the log says why."""
        try:
            self.child = self._spawn()
        except (OSError, subprocess.SubprocessError) as error:
            self._say(f"cannot start {self.command[0]}: {error}")
        else:
            self._say(f"started {self.child.pid}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        log_path = self.folder / LOG_FILE
        log_path.parent.mkdir(exist_ok=True)
        if log_path.exists() and log_path.stat().st_size > _LOG_LIMIT:
            log_path.replace(log_path.with_suffix(".log.1"))
        with log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the command comes from the provider
                [*self.command, "--dir", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=_prepare_child,  # noqa: PLW1509 - this process has one thread
            )

    def _wait(self, seconds: float) -> None:
        """Wait for a signal, at most so long, and reap what has ended."""
        info = signal.sigtimedwait(_WAITED, seconds)
        if info is not None and info.si_signo != signal.SIGCHLD:
            self.stopping = True
        self._reap()

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopped() and (left := end - time.monotonic()) > 0:
            self._wait(min(left, 1.0))

    def _reap(self) -> bool:
        """Reap every ended child; return whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.child = None
                return False
            if pid == 0:
                return True
            if self.child is not None and pid == self.child.pid:
                code = os.waitstatus_to_exitcode(status)
                self.child.returncode = code
                self.child = None
                self._say(f"{pid} ended with {code}")

    def _end_tree(self) -> None:
        """End all descendants: ask first, then kill. Bounded in time."""
        start = time.monotonic()
        asked = False
        while self._reap():
            waited = time.monotonic() - start
            if waited > _TERM_SECONDS + _KILL_SECONDS:
                self._say(f"still there after {waited:.0f} s: {descendants(os.getpid())}")
                return
            if not asked or waited > _TERM_SECONDS:
                number = signal.SIGKILL if asked else signal.SIGTERM
                for pid in descendants(os.getpid()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                asked = True
            signal.sigtimedwait(_WAITED, 0.05)

    def _say(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with contextlib.suppress(OSError), (self.folder / LOG_FILE).open("a") as log:
            log.write(f"{stamp} machine: {text}\n")


def descendants(root: int) -> list[int]:
    """Return the processes below one process, nearest first."""
    children: dict[int, list[int]] = {}
    for pid in all_pids():
        found = stat_of(pid)
        if found is not None and found[0] != "Z":
            children.setdefault(found[1], []).append(pid)
    out: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(0), [])
        out += below
        queue += below
    return out


def _prepare_child() -> None:
    """In the child, before exec: own process group, die with the machine, no blocked signals."""
    parent = os.getppid()
    os.setpgid(0, 0)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def main(argv: list[str]) -> int:
    """Run the machine; return the exit status."""
    parser = argparse.ArgumentParser(description="Supervise one local server.")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--restart-seconds", type=float, default=2.0)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args(argv)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with (args.dir / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ALREADY_RUNNING
        record = read_record(args.dir)
        mine = stat_of(os.getpid())
        if record is None or record.get("id") != args.id or mine is None:
            return 1
        write_record(args.dir, {**record, "machine": {"pid": os.getpid(), "startTime": mine[3]}})
        Machine(args.dir, args.command, args.restart_seconds).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
