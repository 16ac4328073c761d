"""What a process holds of memory, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path

_MIB = 1024


def resident_mib(pid: int) -> float:
    """Return what is resident now, MiB."""
    return _status(pid, "VmRSS") / _MIB


def peak_mib(pid: int) -> float:
    """Return the most that was resident since the start or :func:`reset_peak`, MiB."""
    return _status(pid, "VmHWM") / _MIB


def reset_peak(pid: int) -> None:
    """Let the peak begin anew with what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise LookupError(f"no {field} of process {pid}")
