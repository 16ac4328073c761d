"""An operator whose watches tell it everything half a minute late."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hydracore_crds import Instance
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_operator.providers.local.record import records
from tests.faults.fleet import TENANT, Fleet
from tests.faults.operators import OperatorProcess
from tests.faults.orders import absent, order, ready, server_gone, server_of
from tests.faults.plane import Plane
from tests.faults.proxy import Call, Faults, before_cluster
from tests.faults.simulated import Tenant

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(17)]
DELAY_SECONDS = 30.0
AGENTS, LIMIT = 12, 2
NAME = "latecomer"


class Late(Faults):
    """Passes every event on after the delay."""

    def __init__(self) -> None:
        self.passed = 0

    async def event(self, call: Call, line: bytes, age: float) -> list[bytes]:
        await asyncio.sleep(DELAY_SECONDS - age)
        self.passed += 1
        return [line]


async def test_a_leader_that_sees_the_past_oversteps_nothing(
    plane: Plane, operator: OperatorProcess, fleet: Fleet, tenant: Tenant, tmp_path: Path
) -> None:
    """It takes over in mid-rollout, and hears of its predecessor's deeds while it goes on."""
    await tenant.prepare(agents=AGENTS, push_seconds=0.5, max_parallel_rollouts=LIMIT)
    async with before_cluster(plane.accounts.operator, tmp_path) as (proxy, kubeconfig):
        late = proxy.faults = Late()
        successor = plane.start_operator(HYDRACORE_KUBECONFIG=str(kubeconfig))
        await successor.wait_standby()
        await tenant.start()
        await tenant.until_accepted(3)
        tenant.hold(on=True)
        await tenant.until_busy(LIMIT)
        await operator.kill()
        async with _most_servers(plane) as most:
            made = await order(plane, NAME)
            await successor.wait_leading()
            tenant.hold(on=False)
            await tenant.finished("succeeded", seconds=3 * DELAY_SECONDS)
            await tenant.check_success(LIMIT)
            await ready(plane, NAME)
        assert late.passed > AGENTS, "it heard of what was long past"
        assert set(most.values()) == {1}
        assert made.metadata.uid in most
        server = server_of(plane, made.metadata.uid)
        await successor.stop()
    await plane.one_operator()
    await plane.admin.delete(Instance, NAME, TENANT)
    await absent(plane, NAME)
    await server_gone(plane, server)


@contextlib.asynccontextmanager
async def _most_servers(plane: Plane) -> AsyncIterator[Counter[str]]:
    """Count, all the time, how many servers the provider has for each id at most."""
    most: Counter[str] = Counter()

    async def watch() -> None:
        while True:
            found = [r.labels[INSTANCE_ID_LABEL] for _, r in records(plane.layout.servers)]
            for identity, number in Counter(found).items():
                most[identity] = max(most[identity], number)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(watch())
    try:
        yield most
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
