"""A clock to turn by hand, and a Lease kept in memory."""

from __future__ import annotations

import asyncio
import copy
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from hydracore_kube import AlreadyExists, Conflict, KubeClient, KubeError, NotFound


class FakeClock:
    """Wall and monotonic time that move only by :meth:`advance`."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self._start = datetime(2030, 1, 1, tzinfo=UTC)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.elapsed + seconds, next(self._numbers), done))
        await done

    async def advance(self, seconds: float) -> None:
        """Let time pass; sleepers wake in order, each with the time it asked for."""
        end = self.elapsed + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, done = heapq.heappop(self._sleepers)
            if not done.done():
                self.elapsed = max(self.elapsed, at)
                done.set_result(None)
                await settle()
        self.elapsed = end
        await settle()

    def freeze(self, seconds: float) -> None:
        """Let time pass as a stopped process sees it: nobody runs meanwhile."""
        self.elapsed += seconds


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait for real until ``condition`` holds; fail after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is of other processes
            await asyncio.sleep(0.02)


class LeaseServer:
    """The part of the API server that an election needs, with its optimistic locking."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.fault: KubeError | None = None
        self.writes = 0
        self._version = 0

    def client(self) -> KubeClient:
        """Return this as a client."""
        return cast("KubeClient", self)

    @property
    def spec(self) -> dict[str, Any]:
        """The Lease's spec."""
        assert self.lease is not None
        return cast("dict[str, Any]", self.lease["spec"])

    async def get_raw(self, _place: Any) -> dict[str, Any]:
        self._check()
        if self.lease is None:
            raise NotFound("no lease", status=404)
        return copy.deepcopy(self.lease)

    async def create_raw(self, _place: Any, body: dict[str, Any]) -> dict[str, Any]:
        self._check()
        if self.lease is not None:
            raise AlreadyExists("lease", status=409)
        return self._store(body)

    async def replace_raw(self, _place: Any, body: dict[str, Any]) -> dict[str, Any]:
        self._check()
        version = body["metadata"].get("resourceVersion")
        if self.lease is None or self.lease["metadata"]["resourceVersion"] != version:
            raise Conflict("lease changed", status=409)
        return self._store(body)

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _store(self, body: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        self.writes += 1
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.lease = stored
        return copy.deepcopy(stored)
