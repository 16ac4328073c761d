"""What the machine is, and what a process has used of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("aiohttp", "fastapi", "kopf", "orjson", "pydantic", "uvicorn", "uvloop")
_SPIN = """
import os, sys
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == int(sys.argv[1]):  # not longer than who started it, however that ends
    pass
"""
_TICKS = os.sysconf("SC_CLK_TCK")


def facts(binaries: dict[str, Path]) -> dict[str, Any]:
    """Return what figures of this machine depend on.

    Args:
        binaries: Programs to ask for their version, by name.
    """
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_1m_before": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "programs": {name: _version(path) for name, path in binaries.items()},
    }


@dataclass(frozen=True)
class Usage:
    """What a process has used since it started."""

    cpu_s: float
    peak_rss_mb: float


def usage(pid: int) -> Usage:
    """Read what a process has used; all its threads count, its children do not.

    Raises:
        RuntimeError: It has ended.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    if peak is None:
        raise RuntimeError(f"process {pid} has ended")
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(peak.split()[1]) / 1024)


@contextmanager
def awake(core: int) -> Iterator[None]:
    """Keep a core from falling asleep within the block, by a process that yields to all others.

    Waking a sleeping core costs whoever sends it work, on virtual machines up to as much as the
    rest of a request. A contestant that leaves the other side idle now and then would pay for that.
    """
    process = subprocess.Popen([sys.executable, "-c", _SPIN, str(os.getpid())])
    try:
        pin(process.pid, core)
        yield
    finally:
        process.kill()
        process.wait()


def pin(pid: int, core: int) -> None:
    """Keep a process, with all threads it has now and those that they start, on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(path: Path) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"
