"""A queue of keys to reconcile: deduplicated, one at a time per key, with backoff and alarms.

Its rules are client-go's workqueue's: a key added while it waits is one key; a key added while it
is worked on is worked on again afterwards; of several alarms for one key the earliest counts.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog

from hydracore_kube import Conflict, KubeError
from hydracore_operator.clock import Clock, SystemClock
from hydracore_operator.context import NotLeader
from hydracore_operator.controller.reconciler import RetryLater

Reconcile = Callable[[str], Awaitable[timedelta | datetime | None]]

BACKOFF_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 60.0
RECONCILE_SECONDS = 300.0
"""A reconcile that takes longer is cancelled and tried again: it must not hold its key forever."""
LONGEST_SLEEP_SECONDS = 30.0
"""Alarms are wall time; looking again this often notices a clock that was set."""

log = structlog.get_logger(__name__)


@dataclass
class Counters:
    """What a queue has done so far."""

    added: int = 0
    reconciled: int = 0
    failed: int = 0
    retried_later: int = 0


class WorkQueue:
    """Keys of one kind of work."""

    def __init__(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        reconcile_seconds: float = RECONCILE_SECONDS,
    ) -> None:
        self.name = name
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._limit = reconcile_seconds
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._alarms: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._earlier = asyncio.Event()
        self._counters = Counters()
        self._stopping = asyncio.Event()

    # ---- feeding ---------------------------------------------------------------------------
    def add(self, key: str) -> None:
        """Have ``key`` reconciled as soon as a worker is free."""
        self._counters.added += 1
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_at(self, key: str, when: datetime) -> None:
        """Have ``key`` reconciled at ``when``; an earlier alarm for it stays as it is."""
        known = self._alarms.get(key)
        if known is not None and known <= when:
            return
        self._alarms[key] = when
        heapq.heappush(self._heap, (when, key))
        if len(self._heap) > 2 * len(self._alarms) + 64:
            self._heap = [(at, k) for k, at in self._alarms.items()]
            heapq.heapify(self._heap)
        self._earlier.set()

    def metrics(self) -> dict[str, int]:
        """Return counters, and how many keys wait, run and have alarms."""
        return {
            **asdict(self._counters),
            "waiting": len(self._waiting),
            "running": len(self._running),
            "alarms": len(self._alarms),
            "failing": len(self._failures),
        }

    # ---- running ---------------------------------------------------------------------------
    def stop(self) -> None:
        """Let :meth:`run` return: nothing new starts, what runs may finish."""
        self._stopping.set()

    async def run(
        self,
        reconcile: Reconcile,
        *,
        workers: int = 8,
        gate: Callable[[], bool] = lambda: True,
        drain_seconds: float = 5.0,
    ) -> None:
        """Reconcile until :meth:`stop` or cancellation. Errors of reconciles never end it.

        Args:
            reconcile: Called with a key.
            workers: Most reconciles at once.
            gate: Asked right before each reconcile; when it says no, nothing runs any more.
            drain_seconds: How long reconciles may go on after :meth:`stop`.
        """
        self._stopping.clear()
        async with asyncio.TaskGroup() as group:
            alarm = group.create_task(self._ring(), name=f"{self.name}-alarms")
            tasks = [
                group.create_task(self._work(reconcile, gate), name=f"{self.name}-{n}")
                for n in range(workers)
            ]
            await self._stopping.wait()
            alarm.cancel()
            await self._drain(drain_seconds)
            for task in tasks:
                task.cancel()

    async def _drain(self, seconds: float) -> None:
        deadline = self._clock.monotonic() + seconds
        while self._running and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.02)

    async def _work(self, reconcile: Reconcile, gate: Callable[[], bool]) -> None:
        while not self._stopping.is_set():
            key = await self._ready.get()
            self._waiting.discard(key)
            if self._stopping.is_set() or not gate():
                return
            self._running.add(key)
            try:
                await self._one(reconcile, key)
            finally:
                self._running.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    async def _one(self, reconcile: Reconcile, key: str) -> None:
        try:
            async with asyncio.timeout(self._limit):
                when = await reconcile(key)
        except RetryLater as later:
            self._counters.retried_later += 1
            log.debug("retry_later", queue=self.name, key=key, reason=later.reason)
            self._failures.pop(key, None)
            self.add_at(key, self._clock.now() + later.after)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the queue goes on
            self._failed(key, fault)
        else:
            self._counters.reconciled += 1
            self._failures.pop(key, None)
            if when is not None:
                self.add_at(key, when if isinstance(when, datetime) else self._clock.now() + when)

    def _failed(self, key: str, fault: Exception) -> None:
        self._counters.failed += 1
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))
        pause *= 0.5 + self._jitter() / 2
        # A conflict is everyday life, an API server away is no bug of ours: no stack for those.
        # Neither for a lost leadership, which the elector logs once.
        if isinstance(fault, Conflict | NotLeader):
            why = type(fault).__name__
            log.debug("reconcile_broken_off", queue=self.name, key=key, why=why)
        elif isinstance(fault, KubeError):
            log.warning(
                "reconcile_failed",
                queue=self.name,
                key=key,
                failures=failures,
                again_in_seconds=round(pause, 2),
                fault=fault.message,
            )
        else:
            log.error(
                "reconcile_failed",
                queue=self.name,
                key=key,
                failures=failures,
                again_in_seconds=round(pause, 2),
                exc_info=fault,
            )
        self.add_at(key, self._clock.now() + timedelta(seconds=pause))

    async def _ring(self) -> None:
        while True:
            self._earlier.clear()
            now = self._clock.now()
            while self._heap and self._heap[0][0] <= now:
                when, key = heapq.heappop(self._heap)
                if self._alarms.get(key) == when:
                    del self._alarms[key]
                    self.add(key)
            pause = LONGEST_SLEEP_SECONDS
            if self._heap:
                pause = min(pause, max(0.0, (self._heap[0][0] - now).total_seconds()))
            await self._sleep_or_earlier(pause)

    async def _sleep_or_earlier(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        earlier = asyncio.ensure_future(self._earlier.wait())
        try:
            await asyncio.wait({sleeping, earlier}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            earlier.cancel()
