"""Operators that die on purpose, forked from a process that has everything imported already."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
from collections.abc import AsyncIterator
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from hydracore_devcluster.install import NAMESPACE
from hydracore_kube import KubeClient, NotFound, Where
from hydracore_operator.leadership.leader import LEASE_NAME
from tests.faults.sweep import operator
from tests.faults.sweep.operator import Orders
from tests.faults.sweep.trap import Call, read_journal
from tests.faults.waiting import until

EXIT_SECONDS = 10.0
_LEASE = Where("coordination.k8s.io/v1", "leases", NAMESPACE, LEASE_NAME)


def fork_server(root: Path) -> ForkServerContext:
    """Prepare a process that has the operator imported; every fork of it starts in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    os.environ["PYTHONPATH"] = str(root)
    context.set_forkserver_preload(["__main__", operator.__name__])
    return context


class Forked:
    """One operator process."""

    def __init__(self, context: ForkServerContext, orders: Orders) -> None:
        self.orders = orders
        self._process: ForkServerProcess = context.Process(
            target=operator.main, args=(orders,), daemon=True
        )

    async def start(self) -> None:
        await asyncio.to_thread(self._process.start)

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def calls(self) -> list[Call]:
        """Return the calls it has made so far."""
        return read_journal(self.orders.journal)

    @property
    def fatal(self) -> Call | None:
        """Return the call that it died of."""
        return next((call for call in self.calls if call.killed), None)

    def tail(self, lines: int = 25) -> str:
        """Return what it said last."""
        if not self.orders.log.exists():
            return ""
        return "\n".join(self.orders.log.read_text().splitlines()[-lines:])

    def check_log(self) -> None:
        """Assert that it met nothing that it did not expect."""
        assert not self.orders.log.exists() or "Traceback" not in self.orders.log.read_text(), (
            self.tail(60)
        )

    async def end(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._process.kill()
        await until(lambda: not self.alive, "an operator to be gone", EXIT_SECONDS, every=0.005)


@contextlib.asynccontextmanager
async def running(context: ForkServerContext, orders: Orders) -> AsyncIterator[Forked]:
    """Run one operator, and end it afterwards."""
    process = Forked(context, orders)
    await process.start()
    try:
        yield process
    finally:
        await process.end()


async def expire_lease(admin: KubeClient) -> None:
    """Let the Lease of a dead operator end at once, as it would by itself after its time.

    The next leader has an epoch of its own, as always.
    """
    with contextlib.suppress(NotFound):
        body: dict[str, Any] = {"spec": {"holderIdentity": None}}
        await admin.patch_raw(_LEASE, body)
