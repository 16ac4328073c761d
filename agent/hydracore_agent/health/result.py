"""The outcome of a check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HEALTHY = "healthy"
DEGRADED = "degraded"
UNHEALTHY = "unhealthy"
ORDER = (HEALTHY, DEGRADED, UNHEALTHY)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    Attributes:
        status: ``healthy``, ``degraded`` or ``unhealthy``.
        message: For people.
    """

    status: str
    message: str


def worst(statuses: Iterable[str]) -> str:
    """Return the worst of the statuses; ``healthy`` for none."""
    return max(statuses, key=ORDER.index, default=HEALTHY)
