"""Python packages that only benchmarks need: installed when first asked for, beside the project's.

They are pinned by ``bench/requirements.lock`` and lie in ``.hydracore/tools/bench``, so that
neither set-up nor images have anything to do with them. Programs that use them get the folder on
their ``PYTHONPATH``; this process does not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.lock import FileLock
from hydracore_devcluster.progress import Progress, duration

LOCK = Path("bench") / "requirements.lock"
_STAMP = ".stamp"
_INSTALL_SECONDS = 600
_TOTAL_SECONDS = 1200


class PackagesMissingError(Exception):
    """The packages could not be installed; the text says what to do."""


def provide(layout: ProjectLayout, progress: Progress) -> Path:
    """Return the folder of the packages, which are installed when out of date.

    Raises:
        PackagesMissingError: They could not be; quotes the end of what uv said.
    """
    target = layout.tools / "bench"
    wanted = _fingerprint(layout)
    if _stamp(target) == wanted:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.parent / "bench.lock")
    deadline = time.monotonic() + _TOTAL_SECONDS
    while not lock.acquire():
        if time.monotonic() > deadline:
            raise PackagesMissingError(f"another process installs into {target}: end it")
        time.sleep(0.2)
    try:
        # Whoever held the lock may have installed them meanwhile.
        if _stamp(target) != wanted:
            _install(layout, target, progress)
            (target / _STAMP).write_text(wanted)
    finally:
        lock.release()
    return target


def python_path(layout: ProjectLayout, packages: Path) -> str:
    """Return the ``PYTHONPATH`` of a program that uses them and this project."""
    return os.pathsep.join((str(packages), str(layout.root)))


def _fingerprint(layout: ProjectLayout) -> str:
    pinned = (layout.root / LOCK).read_bytes()
    return f"{hashlib.sha256(pinned).hexdigest()} {sys.version}"


def _stamp(target: Path) -> str | None:
    path = target / _STAMP
    return path.read_text() if path.is_file() else None


def _install(layout: ProjectLayout, target: Path, progress: Progress) -> None:
    began = time.monotonic()
    progress.say(
        "installing what only benchmarks need (Celery, Redis, Matplotlib; about 65 MB) into "
        f"{target.relative_to(layout.root)}"
    )
    shutil.rmtree(target, ignore_errors=True)
    command = [
        str(layout.root / "scripts" / "uv.sh"),
        *("pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"),
        *("--python", sys.executable, "--target", str(target), "--no-deps"),
        *("--requirement", str(layout.root / LOCK)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackagesMissingError(f"{LOCK} could not be installed: {error}") from error
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise PackagesMissingError(
            f"{LOCK} could not be installed: is the Python package index there? It said:\n{said}"
        )
    progress.say(f"installed them in {duration(time.monotonic() - began)}")
