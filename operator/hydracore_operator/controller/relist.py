"""Lists of our own, so that a deletion missed by a watch leaves no ghost in a store.

kopf lists again after a broken watch, but never compares: what vanished meanwhile would stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from hydracore_kube import KubeClient, KubeError, ObjectStore

RETRY_SECONDS = 5.0
"""After a fault, and at least between two lists of one kind."""

log = structlog.get_logger(__name__)


class Relister:
    """Keeps stores complete: on demand, and every so often."""

    def __init__(
        self,
        kube: KubeClient,
        stores: Sequence[ObjectStore[Any]],
        *,
        every_seconds: float = 300.0,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._kube = kube
        self._stores = {store.kind.KIND.plural: store for store in stores}
        self._wanted = {plural: asyncio.Event() for plural in self._stores}
        self._locks = {plural: asyncio.Lock() for plural in self._stores}
        self._every = every_seconds
        self._retry = retry_seconds

    def want(self, plural: str) -> None:
        """Have a kind listed soon."""
        if plural in self._wanted:
            self._wanted[plural].set()

    async def fresh(self) -> None:
        """List every kind now.

        Raises:
            KubeError: A list failed.
        """
        await asyncio.gather(*(self._list(plural) for plural in self._stores))

    async def run(self) -> None:
        """Go on until cancelled; faults are logged and tried again."""
        async with asyncio.TaskGroup() as group:
            for plural in self._stores:
                group.create_task(self._keep(plural), name=f"relist-{plural}")

    async def _keep(self, plural: str) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._wanted[plural].wait()
            self._wanted[plural].clear()
            try:
                changed = await self._list(plural)
            except KubeError as fault:
                log.warning("relist_failed", plural=plural, fault=fault.message)
                self._wanted[plural].set()
            else:
                log.debug("relisted", plural=plural, changed=len(changed))
            await asyncio.sleep(self._retry)

    async def _list(self, plural: str) -> set[str]:
        store = self._stores[plural]
        async with self._locks[plural]:
            objs, version = await self._kube.list(store.kind, held=store.held)
            return store.replace(objs, version)
