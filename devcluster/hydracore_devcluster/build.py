"""Build the programs of a Go module of tools, once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydracore_devcluster import assets, golang, gotool
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.errors import BuildFailedError
from hydracore_devcluster.golang import Go
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.lock import FileLock
from hydracore_devcluster.progress import Progress, duration
from hydracore_devcluster.toolset import CONTROL_PLANE, Toolset

_LOCK_SECONDS = 3600.0
_LOCK_POLL_SECONDS = 0.5
_STAMP = "stamp.json"


def provide(layout: ProjectLayout, environ: Mapping[str, str], progress: Progress) -> Assets:
    """Return the control plane: that of ``KUBEBUILDER_ASSETS`` when set, else one of our own.

    Args:
        layout: The checkout.
        environ: The environment: PATH, KUBEBUILDER_ASSETS, and what Go reads.
        progress: Where to tell how far it is.

    Raises:
        AssetsIncompleteError: The named folder lacks a binary.
        GoMissingError: Building needs Go, and none can be had.
        BuildFailedError: The build failed; quotes the end of what Go said.
    """
    if environ.get(assets.ASSETS_VARIABLE):
        return assets.from_folder(assets.assets_folder(layout, environ))
    return assets.from_folder(provide_tools(CONTROL_PLANE, layout, environ, progress))


def provide_tools(
    tools: Toolset, layout: ProjectLayout, environ: Mapping[str, str], progress: Progress
) -> Path:
    """Return the folder with the programs of a set, which are built when out of date.

    Raises:
        GoMissingError: Building needs Go, and none can be had.
        BuildFailedError: The build failed; quotes the end of what Go said.
    """
    if not _up_to_date(tools, layout, environ):
        with _only_one(layout, progress):
            # Whoever held the lock may have built it meanwhile.
            if not _up_to_date(tools, layout, environ):
                _build(tools, layout, environ, progress)
    return tools.target(layout)


def _fingerprint(tools: Toolset, layout: ProjectLayout) -> str:
    """Return the digest of everything but Go itself that decides what is built."""
    digest = hashlib.sha256()
    for path in tools.sources(layout):
        digest.update(path.read_bytes())
    digest.update(json.dumps(tools.build_flags).encode())
    return digest.hexdigest()


def _read_stamp(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _up_to_date(tools: Toolset, layout: ProjectLayout, environ: Mapping[str, str]) -> bool:
    """Return whether the programs are all there and from this go.mod and this Go.

    Where no Go is left on the machine, what an earlier one built still counts.
    """
    stamp = _read_stamp(tools.target(layout))
    if stamp.get("module") != _fingerprint(tools, layout) or tools.missing(tools.target(layout)):
        return False
    go = golang.find(layout, environ)
    return go is None or go.version == stamp.get("go")


def _build(
    tools: Toolset, layout: ProjectLayout, environ: Mapping[str, str], progress: Progress
) -> None:
    began = time.monotonic()
    progress.say(
        f"building {tools.title} ({', '.join(tools.shown)}); "
        f"the first time this usually takes about {duration(tools.first_seconds)}, "
        "later it is skipped"
    )
    go = golang.ensure(layout, environ, progress)
    tool = gotool.GoTool(go, tools, layout, environ, progress)
    packages = tool.download()
    target = tools.target(layout)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.cache, prefix="build-") as folder:
        usual = tools.link_seconds + packages * tools.package_seconds
        tool.build(Path(folder), packages, usual)
        if lacking := tools.missing(Path(folder)):
            raise BuildFailedError(
                f"Go built other binaries than expected: {', '.join(lacking)} is missing in "
                f"what {tools.source(layout) / 'go.mod'} makes"
            )
        for binary in Path(folder).iterdir():
            # Replacing leaves a running process its old file.
            binary.replace(target / binary.name)
    _write_stamp(tools, layout, go)
    progress.say(f"built {tools.title} in {duration(time.monotonic() - began)}")


def _write_stamp(tools: Toolset, layout: ProjectLayout, go: Go) -> None:
    stamp = {"module": _fingerprint(tools, layout), "go": go.version}
    path = tools.target(layout) / _STAMP
    new = path.with_suffix(".new")
    new.write_text(json.dumps(stamp) + "\n")
    new.replace(path)


@contextlib.contextmanager
def _only_one(layout: ProjectLayout, progress: Progress) -> Iterator[None]:
    """Let one process build at a time; the others wait and then find it done."""
    layout.cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(layout.cache / "build.lock")
    began = time.monotonic()
    while not lock.acquire():
        waited = time.monotonic() - began
        if waited > _LOCK_SECONDS:
            raise BuildFailedError(
                f"another process has been building in {layout.cache} for an hour: "
                "end it and try again"
            )
        progress.step(f"waiting for another build to end; {duration(waited)} so far")
        time.sleep(_LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()
