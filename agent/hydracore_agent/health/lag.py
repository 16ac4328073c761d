"""How late the event loop runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from hydracore_agent.health.result import DEGRADED, HEALTHY, UNHEALTHY, CheckResult

INTERVAL = 1.0
REMEMBERED = 15
LATE = 1.0
STUCK = 5.0


class LagMeter:
    """Measures each second how much later than asked the loop wakes up."""

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Take a monotonic clock in seconds and a way to wait."""
        self._clock = clock
        self._sleep = sleep
        self._lags: deque[float] = deque(maxlen=REMEMBERED)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self.measure()

    async def measure(self) -> None:
        """Measure once."""
        due = self._clock() + INTERVAL
        await self._sleep(INTERVAL)
        self._lags.append(max(0.0, self._clock() - due))

    def check(self) -> CheckResult:
        """Return what the last measurements say."""
        most = max(self._lags, default=0.0)
        status = UNHEALTHY if most >= STUCK else DEGRADED if most >= LATE else HEALTHY
        return CheckResult(status, f"at most {most * 1000:.0f} ms late in the last {REMEMBERED} s")
