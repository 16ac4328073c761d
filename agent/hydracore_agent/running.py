"""The release that this process runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydracore_agent.layout import Layout
from hydracore_agent.orders.manifest import Manifest, read_manifest


@dataclass(frozen=True, slots=True)
class RunningRelease:
    """Where it lies and what it says about itself."""

    sha256: str
    folder: Path
    manifest: Manifest

    @classmethod
    def load(cls, layout: Layout, sha256: str) -> RunningRelease:
        """Return the installed release.

        Raises:
            Rejected: its manifest is missing or wrong.
            OSError: it cannot be read.
        """
        folder = layout.release(sha256)
        return cls(sha256, folder, read_manifest(folder))
