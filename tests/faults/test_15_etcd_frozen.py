"""etcd does not answer for a minute and a half; operator and API are supervised as always."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from hydracore_cli.stack.service import Service
from tests.faults.fleet import Fleet
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(15)]
AWAY_SECONDS = 90.0
BACK_SECONDS = 90.0
AGENTS, LIMIT = 8, 2


async def test_everything_comes_back_by_itself(plane: Plane, fleet: Fleet, tenant: Tenant) -> None:
    """Orders are in flight when etcd goes; agents end them, and nothing starts until it is back."""
    async with plane.supervised_operator() as service:
        await tenant.prepare(agents=AGENTS, push_seconds=0.5, max_parallel_rollouts=LIMIT)
        tenant.hold(on=True)
        await tenant.start()
        await tenant.until_busy(LIMIT)
        plane.signal("etcd", signal.SIGSTOP)
        try:
            tenant.hold(on=False)
            await asyncio.sleep(AWAY_SECONDS)
            oracle = tenant.fleet.oracle
            assert len(oracle.accepted) == len(oracle.activated) == LIMIT
        finally:
            plane.signal("etcd", signal.SIGCONT)
        await until(lambda: _leads(service), "an operator that leads", BACK_SECONDS)
        await tenant.finished("succeeded")
        await tenant.check_success(LIMIT)
        await until(lambda: _answers(plane.api), "the API to answer", BACK_SECONDS)
        await fleet.all_ready()


async def _leads(service: Service) -> bool:
    """Whether the supervised operator runs, sees every kind, and leads."""
    url = service.ready_url.replace("/readyz", "/status")
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
            said = (await client.get(url)).json()
    except httpx.HTTPError:
        return False
    return bool(said["leading"] and max(said["watchAgeSeconds"].values()) < AWAY_SECONDS)


async def _answers(service: Service) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
            return (await client.get(service.ready_url)).is_success
    except httpx.HTTPError:
        return False
