"""All checks together: the quick view for every status, the deep one on demand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.health.result import UNHEALTHY, CheckResult, worst

Check = Callable[[], CheckResult]


@dataclass(frozen=True, slots=True)
class Subsystem:
    """A part that is checked.

    Attributes:
        deep: Looks thoroughly; may block, runs in a thread.
        quick: Takes well under a millisecond.
    """

    deep: Check
    quick: Check


class HealthMonitor:
    """Runs the checks."""

    def __init__(self, subsystems: Mapping[str, Subsystem], now: Clock) -> None:
        self._subsystems = subsystems
        self._now = now
        self._started = now()
        self._deep = asyncio.Lock()

    @property
    def started_at(self) -> str:
        """When this process started, as on the wire."""
        return to_wire(self._started)

    def uptime(self) -> int:
        """Return whole seconds since the start."""
        return max(0, int((self._now() - self._started).total_seconds()))

    def status(self) -> str:
        """Return the worst of the quick checks."""
        return worst(_guarded(subsystem.quick).status for subsystem in self._subsystems.values())

    def is_healthy(self) -> bool:
        """Return whether nothing is unhealthy; degraded parts still serve."""
        return self.status() != UNHEALTHY

    async def deep(self) -> dict[str, Any]:
        """Return the answer of ``GET /api/health/deep``."""
        async with self._deep:
            results = {
                name: await asyncio.to_thread(_timed, subsystem.deep)
                for name, subsystem in self._subsystems.items()
            }
        return {
            "status": worst(str(result["status"]) for result in results.values()),
            "checkedAt": to_wire(self._now()),
            "uptimeSeconds": self.uptime(),
            "subsystems": results,
        }


def _timed(check: Check) -> dict[str, Any]:
    begun = time.perf_counter()
    result = _guarded(check)
    took = round((time.perf_counter() - begun) * 1000, 2)
    return {"status": result.status, "message": result.message, "latencyMs": took}


def _guarded(check: Check) -> CheckResult:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a check that fails is a finding
        return CheckResult(UNHEALTHY, f"the check itself failed: {type(error).__name__}")
