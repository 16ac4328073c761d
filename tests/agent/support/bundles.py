"""Bundles: real ones by the project's builder, and small ones of any content."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydracore_agent.orders.manifest import Host
from hydracore_artifacts.build.runtime import RuntimeRequest, build_runtime

PLUGINS = Path(__file__).parent / "plugins"


@dataclass(frozen=True)
class Built:
    version: str
    path: Path
    sha256: str
    size: int


def build_release(folder: Path, version: str, *plugins: str) -> Built:
    """Build a runtime bundle from the agent's source, with plugins of this folder."""
    out = folder / f"{version}.tar.gz"
    files = tuple(PLUGINS / f"{name}.py" for name in plugins)
    built = build_runtime(RuntimeRequest(version, plugins=files), out)
    return Built(version, out, built.digest.sha256, built.digest.size_bytes)


def manifest(**changes: Any) -> dict[str, Any]:
    host = Host.here()
    return {
        "component": "runtime",
        "slug": "expressclaw",
        "version": "1.1.0",
        "python": host.python,
        "platform": host.platform,
        "entrypoint": ["-m", "hydracore_agent"],
        "plugins": [],
        **changes,
    }


def tar_of(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """Return a gzip tar of files, or of entries made by the caller."""
    out = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 1, out, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def small_bundle(**changes: Any) -> bytes:
    """Return a bundle that unpacks well but runs nothing."""
    return tar_of(
        {
            "manifest.json": json.dumps(manifest(**changes)).encode(),
            "lib/hydracore_agent/__init__.py": b"",
            "plugins/greet.py": b"NAME = 'greet'\n",
        }
    )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
