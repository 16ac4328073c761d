"""List, watch, and list again: keeps one kind's store like the API server's own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

import structlog

from hydracore_crds import Resource
from hydracore_kube.client import KubeClient
from hydracore_kube.errors import Gone, KubeError
from hydracore_kube.store import ObjectStore

R = TypeVar("R", bound=Resource)
BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 10.0
RELIST_SECONDS = 600.0
"""Even a healthy watch is checked against a fresh list this often."""

log = structlog.get_logger(__name__)


class Reflector(Generic[R]):
    """Feeds a store from list and watch; :meth:`run` goes on until it is cancelled."""

    def __init__(
        self,
        kube: KubeClient,
        store: ObjectStore[R],
        *,
        namespace: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._kube = kube
        self._store = store
        self._namespace = namespace
        self._monotonic = monotonic
        self._sleep = sleep
        self._jitter = jitter
        self._alive_at: float | None = None
        self._listed_at = 0.0
        self._version = ""

    def age(self) -> float:
        """Return the seconds since the last sign of life; infinite before the first."""
        return float("inf") if self._alive_at is None else self._monotonic() - self._alive_at

    async def run(self) -> None:
        """Keep the store right until cancelled; faults are waited out with jittered backoff."""
        failures = 0
        while True:
            before = self._alive_at
            try:
                await self.step()
            except KubeError as fault:
                if isinstance(fault, Gone):
                    self._version = ""
                failures = 0 if self._alive_at != before else failures + 1
                pause = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** min(failures, 10))
                log.warning(
                    "watch_interrupted",
                    kind=self._store.kind.KIND.kind,
                    fault=fault.message,
                    again_in_seconds=round(pause, 2),
                )
                await self._sleep(pause * (0.5 + self._jitter() / 2))
            else:
                failures = 0

    async def step(self) -> None:
        """List if there is no version to go on from, then watch until the stream ends.

        Raises:
            Gone: The version was too old; the next step must list.
            KubeError: The server could not be asked.
        """
        if not self._version or self._monotonic() - self._listed_at > RELIST_SECONDS:
            await self._list()
        stream = self._kube.watch(self._store.kind, self._namespace, resource_version=self._version)
        async with aclosing(stream) as events:
            self._alive()
            async for event in events:
                self._alive()
                self._version = event.resource_version or self._version
                if event.obj is not None:
                    self._store.apply(event.type, event.obj)

    async def _list(self) -> None:
        objs, version = await self._kube.list(
            self._store.kind, self._namespace, held=self._store.held
        )
        self._store.replace(objs, version)
        self._version = version
        self._listed_at = self._monotonic()
        self._alive()

    def _alive(self) -> None:
        self._alive_at = self._monotonic()
