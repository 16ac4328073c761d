"""Circuit breakers: a model provider that keeps failing is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hydracore_agent.health.result import DEGRADED, HEALTHY, CheckResult

OPENS_AFTER = 3
"""Failures in a row that open a breaker."""
OPEN_SECONDS = 30.0
"""How long an open breaker lets nothing through; then one call may try."""

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


@dataclass(slots=True)
class Breaker:
    """The breaker of one provider.

    Attributes:
        failures: In a row.
        opened_at: Monotonic seconds; None while closed.
        trying: The one call of ``half-open`` is under way.
        cause: Of the last failure, for people.
    """

    clock: Callable[[], float]
    failures: int = 0
    opened_at: float | None = None
    trying: bool = False
    cause: str = ""

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if self.opened_at is None:
            return CLOSED
        return OPEN if self.clock() - self.opened_at < OPEN_SECONDS else HALF_OPEN

    def admits(self) -> bool:
        """Whether a call may go out now; in ``half-open`` only one may, until it has ended."""
        if self.state == HALF_OPEN and not self.trying:
            self.trying = True
            return True
        return self.state == CLOSED

    def succeeded(self) -> None:
        """Note that a call was answered."""
        self.clear()

    def failed(self, cause: str) -> None:
        """Note that a call failed."""
        self.failures += 1
        self.cause = cause
        if self.trying or self.failures >= OPENS_AFTER:
            self.opened_at = self.clock()
        self.trying = False

    def gave_up(self) -> None:
        """Note that a call ended without saying anything about the provider."""
        self.trying = False

    def clear(self) -> bool:
        """Close it and forget its failures; return whether there was anything to forget."""
        anything = self.opened_at is not None or self.failures > 0
        self.failures, self.opened_at, self.trying, self.cause = 0, None, False, ""
        return anything


class Breakers:
    """One breaker for each provider."""

    def __init__(self, providers: Iterable[str], clock: Callable[[], float]) -> None:
        """Take the providers' names and a monotonic clock in seconds."""
        self._all = {name: Breaker(clock) for name in providers}

    def of(self, provider: str) -> Breaker:
        """Return a provider's breaker."""
        return self._all[provider]

    def states(self) -> dict[str, str]:
        """Return each provider's state."""
        return {name: breaker.state for name, breaker in self._all.items()}

    def clear(self) -> list[str]:
        """Clear all; return the providers for which that changed anything."""
        return [name for name, breaker in self._all.items() if breaker.clear()]

    def check(self) -> CheckResult:
        """Say how they stand; an open one degrades the agent, which still answers offline."""
        if not self._all:
            return CheckResult(HEALTHY, "no model provider is configured")
        parts = [_line(name, breaker) for name, breaker in self._all.items()]
        all_closed = all(breaker.state == CLOSED for breaker in self._all.values())
        return CheckResult(HEALTHY if all_closed else DEGRADED, "; ".join(parts))


def _line(name: str, breaker: Breaker) -> str:
    text = f"{name}: {breaker.state}"
    return f"{text}, {breaker.failures} failures ({breaker.cause})" if breaker.failures else text
