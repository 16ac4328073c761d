"""Whether the running release still is what was installed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from hydracore_agent.fields import Fields
from hydracore_agent.files import read_json
from hydracore_agent.health.result import HEALTHY, UNHEALTHY, CheckResult
from hydracore_agent.orders.releases import LISTING

FRESH_SECONDS = 60.0
NAMED = 3


class ReleaseIntegrity:
    """Compares every file with the digest taken when it was unpacked, at most once a minute."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._last: tuple[float, CheckResult] | None = None

    def check(self) -> CheckResult:
        """Return the last result, or look again if it is old. Blocks."""
        if self._last is None or self._clock() - self._last[0] >= FRESH_SECONDS:
            self._last = (self._clock(), self._look())
        return self._last[1]

    def last(self) -> CheckResult:
        """Return the last result without looking."""
        return self._last[1] if self._last else CheckResult(HEALTHY, "not yet compared")

    def _look(self) -> CheckResult:
        try:
            damaged = damaged_files(self._folder)
        except (OSError, ValueError) as error:
            return CheckResult(UNHEALTHY, f"the release cannot be compared: {error}")
        if damaged:
            names = ", ".join(damaged[:NAMED])
            message = f"{len(damaged)} files differ from what was installed: {names}"
            return CheckResult(UNHEALTHY, message)
        return CheckResult(HEALTHY, "all files are as installed")


def damaged_files(folder: Path) -> list[str]:
    """Return which files of a release are missing or differ from what was unpacked.

    Raises:
        ValueError: the listing is damaged.
        OSError: the listing cannot be read.
    """
    listing = Fields(read_json(folder / LISTING), LISTING).section("files").raw()
    damaged = []
    for name, digest in listing.items():
        try:
            with (folder / name).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            found = ""
        if found != digest:
            damaged.append(name)
    return damaged
