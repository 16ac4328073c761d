"""A real operator process on a real API server: its metrics say what was written."""

from __future__ import annotations

import asyncio
import time

import pytest

from bench.apiserver import requests
from bench.health.steady import NAMESPACE, Steady, at_rest
from hydracore_crds import Instance

pytestmark = [pytest.mark.cluster, pytest.mark.first]

INSTANCES, INTERVAL, SECONDS = 100, 2.0, 10.0


async def unreachable(found: Steady) -> set[str]:
    instances, _ = await found.plane.admin.list(Instance, NAMESPACE)
    return {i.spec.id or "" for i in instances if i.status.health_status == "unreachable"}


async def test_a_fleet_that_is_well_costs_no_writes_and_one_that_fails_one_each() -> None:
    async with at_rest(INSTANCES, INTERVAL) as found:
        counted = await found.count(SECONDS)
        assert counted["polls"] > INSTANCES * SECONDS / INTERVAL / 2
        assert counted["lease_writes"] > 0
        assert counted["writes_but_leases"] == 0, counted["writes"]
        failing = [agent.instance_id for agent in (await found.fleet.agents())[:7]]
        before = await requests(found.raw)
        await found.fleet.faults(failing, silent=True)
        deadline = time.monotonic() + 30
        while await unreachable(found) != set(failing):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)
        await asyncio.sleep(2 * INTERVAL)
        written = dict((await requests(found.raw) - before).items())
    written = {key: n for key, n in written.items() if key[0] != "leases"}
    assert sum(written.values()) == len(failing), written
