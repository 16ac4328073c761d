"""Checks of this machine and this process. Each reads what is really there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hydracore_agent.errors import AgentError, describe_os_error
from hydracore_agent.files import write_atomic
from hydracore_agent.health.result import DEGRADED, HEALTHY, UNHEALTHY, CheckResult
from hydracore_agent.orders.memory import OrderMemory

MIB = 1024 * 1024
DISK_LOW = 512 * MIB
DISK_OUT = 16 * MIB
RSS_HIGH = 512 * MIB
MEMORY_LOW_SHARE = 0.03
DESCRIPTORS_HIGH_SHARE = 0.8


def check_disk(folder: Path, *, probe: bool) -> CheckResult:
    """Look at the free space and, with ``probe``, write and sync a small file."""
    try:
        usage = shutil.disk_usage(folder)
        if probe:
            target = folder / "probe"
            write_atomic(target, b"probe\n")
            target.unlink()
    except OSError as error:
        return CheckResult(UNHEALTHY, f"the disk cannot be written: {describe_os_error(error)}")
    message = f"{usage.free // MIB} MiB of {usage.total // MIB} MiB free"
    if usage.free < DISK_OUT:
        return CheckResult(UNHEALTHY, message)
    return CheckResult(DEGRADED if usage.free < DISK_LOW else HEALTHY, message)


def check_process(proc: Path = Path("/proc")) -> CheckResult:
    """Look at this process's memory and descriptors, and at the machine's memory."""
    try:
        rss = _kib(proc / "self" / "status", "VmRSS") * 1024
        free = _kib(proc / "meminfo", "MemAvailable") / _kib(proc / "meminfo", "MemTotal")
        opened = len(list((proc / "self" / "fd").iterdir()))
        allowed = os.sysconf("SC_OPEN_MAX")
    except (OSError, ValueError, ZeroDivisionError) as error:
        return CheckResult(DEGRADED, f"{proc} cannot be read: {error}")
    message = f"{rss // MIB} MiB resident, {opened} descriptors, {free:.0%} of memory available"
    strained = (
        rss > RSS_HIGH
        or free < MEMORY_LOW_SHARE
        or (allowed > 0 and opened > allowed * DESCRIPTORS_HIGH_SHARE)
    )
    return CheckResult(DEGRADED if strained else HEALTHY, message)


def check_orders(memory: OrderMemory) -> CheckResult:
    """See whether epochs and tasks can be read."""
    try:
        known = memory.read()
    except AgentError as error:
        return CheckResult(UNHEALTHY, str(error))
    except OSError as error:
        return CheckResult(UNHEALTHY, f"tasks cannot be read: {describe_os_error(error)}")
    under_way = known.active.task_id if known.active else "none"
    message = f"epoch {known.epoch}, {len(known.tasks)} tasks remembered, under way: {under_way}"
    return CheckResult(HEALTHY, message)


def _kib(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise ValueError(f"{path.name} has no {name}")
