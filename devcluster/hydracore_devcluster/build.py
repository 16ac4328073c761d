"""Build the control plane from the Go module of tools, once."""

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
from hydracore_devcluster.errors import AssetsIncompleteError, BuildFailedError
from hydracore_devcluster.golang import Go
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.lock import FileLock
from hydracore_devcluster.progress import Progress, duration

LINK_SECONDS = 20.0
"""What linking took on two cores."""

PACKAGE_SECONDS = 0.17
"""What compiling took for each package on two cores; about 2,740 are compiled the first time."""

FIRST_SECONDS = 480.0
"""What a first build took on two cores with nothing cached, downloads included."""

_LOCK_SECONDS = 3600.0
_LOCK_POLL_SECONDS = 0.5
_STAMP = "stamp.json"


def provide(layout: ProjectLayout, environ: Mapping[str, str], progress: Progress) -> Assets:
    """Return binaries: those of ``KUBEBUILDER_ASSETS`` when set, else built when out of date.

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
    if (found := _up_to_date(layout, environ)) is not None:
        return found
    with _only_one(layout, progress):
        # Whoever held the lock may have built it meanwhile.
        return _up_to_date(layout, environ) or _build(layout, environ, progress)


def _fingerprint(layout: ProjectLayout) -> str:
    """Return the digest of everything but Go itself that decides what is built."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((layout.go_module / name).read_bytes())
    digest.update(json.dumps(gotool.BUILD_FLAGS).encode())
    return digest.hexdigest()


def _read_stamp(layout: ProjectLayout) -> dict[str, Any]:
    try:
        found = json.loads((layout.cache / "bin" / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _up_to_date(layout: ProjectLayout, environ: Mapping[str, str]) -> Assets | None:
    """Return the built binaries when they are all there and from this go.mod and this Go.

    Where no Go is left on the machine, what an earlier one built still counts.
    """
    stamp = _read_stamp(layout)
    if stamp.get("module") != _fingerprint(layout):
        return None
    try:
        found = assets.from_folder(layout.cache / "bin")
    except AssetsIncompleteError:
        return None
    if found.kube_controller_manager is None:
        return None
    go = golang.find(layout, environ)
    return found if go is None or go.version == stamp.get("go") else None


def _build(layout: ProjectLayout, environ: Mapping[str, str], progress: Progress) -> Assets:
    began = time.monotonic()
    progress.say(
        "building the control plane (etcd, kube-apiserver, kube-controller-manager, kubectl); "
        f"the first time this usually takes about {duration(FIRST_SECONDS)}, later it is skipped"
    )
    go = golang.ensure(layout, environ, progress)
    tool = gotool.GoTool(go, layout, environ, progress)
    packages = tool.download()
    target = layout.cache / "bin"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.cache, prefix="build-") as folder:
        tool.build(Path(folder), packages, LINK_SECONDS + packages * PACKAGE_SECONDS)
        for binary in Path(folder).iterdir():
            # Replacing leaves a running process its old file.
            binary.replace(target / binary.name)
    elapsed = time.monotonic() - began
    _write_stamp(layout, go)
    try:
        built = assets.from_folder(target)
    except AssetsIncompleteError as error:
        raise BuildFailedError(f"Go built other binaries than expected: {error}") from error
    progress.say(f"built the control plane in {duration(elapsed)}")
    return built


def _write_stamp(layout: ProjectLayout, go: Go) -> None:
    stamp = {"module": _fingerprint(layout), "go": go.version}
    path = layout.cache / "bin" / _STAMP
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
