"""Somebody else writes to the objects of a rollout 50 times a second."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_kube import Conflict, Unavailable
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(18)]
AGENTS, LIMIT = 10, 2
EVERY_SECONDS = 0.02
SECONDS = 180.0
NOTE = "example.org/note"


class SecondWriter:
    """Annotates the rollout at every other turn, its targets and instances at the others."""

    def __init__(self, plane: Plane, namespace: str) -> None:
        self._admin = plane.admin
        self._namespace = namespace
        self.last: dict[tuple[type[Any], str], str] = {}
        self.seconds = 0.0
        self.written = 0

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds = time.monotonic() - began
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        due = time.monotonic()
        for number in itertools.count():
            await self._write(number)
            due = max(due + EVERY_SECONDS, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def _write(self, number: int) -> None:
        """Write one note; what a busy API server did not confirm is not counted."""
        kind, name = self._victim(number)
        note = str(number)
        body: dict[str, Any] = {"metadata": {"annotations": {NOTE: note}}}
        try:
            await self._admin.patch(kind, name, self._namespace, body)
        except (Conflict, Unavailable):
            return
        key = (kind, name)
        self.last[key] = max(note, self.last.get(key, "0"), key=int)
        self.written += 1

    def _victim(self, number: int) -> tuple[type[Any], str]:
        index = number // 4 % AGENTS
        if number % 2 == 0:
            return Rollout, "roll"
        return (RolloutTarget, _target(index)) if number % 4 == 1 else (Instance, f"i{index:02d}")


def _target(number: int) -> str:
    return f"roll-{number:05d}"


async def test_no_status_is_lost(plane: Plane, operator: OperatorProcess, tenant: Tenant) -> None:
    """The statuses are what the agents counted, and the other's last notes stand too."""
    await tenant.prepare(agents=AGENTS, push_seconds=0.5, max_parallel_rollouts=LIMIT)
    await tenant.start(paused=True)

    async def admitted() -> bool:
        return (await tenant.rollout()).status.targets_created is True

    await until(admitted, "the targets", 30, state=operator.tail)
    assert {t.metadata.name for t in await tenant.targets()} == {
        _target(number) for number in range(AGENTS)
    }
    writer = SecondWriter(plane, tenant.namespace)
    async with writer.at_work():
        await plane.admin.patch(Rollout, "roll", tenant.namespace, {"spec": {"paused": False}})
        await tenant.finished("succeeded", seconds=SECONDS)
    assert writer.written > 10 * writer.seconds, "it wrote often, also on a busy machine"
    await tenant.check_success(LIMIT)
    stored: Counter[str] = Counter()
    for (kind, name), note in writer.last.items():
        found = await plane.admin.get(kind, name, tenant.namespace)
        assert int(found.metadata.annotations[NOTE]) >= int(note)
        stored[kind.KIND.kind] += 1
    assert stored == {"Rollout": 1, "RolloutTarget": AGENTS, "Instance": AGENTS}
