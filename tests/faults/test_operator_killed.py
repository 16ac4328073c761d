"""SIGKILL of the operator process in the middle of a rollout, at moments that the agents tell."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from hydracore_cli.stack.service import Service
from tests.faults.fleet import Fleet
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults]
LIMIT = 2


async def test_the_next_operator_goes_on_with_real_agents(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """Killed with the first order accepted, the second switching, and the third just activated."""
    bundle = await plane.publish_runtime()
    rollout = await fleet.start(bundle, limit=1)
    for count, event in ((1, "accepted"), (2, "switching"), (3, "activated")):
        await fleet.seen(bundle, event, count=count)
        await operator.kill()
        operator = plane.start_operator()
        await operator.wait_leading()
    await fleet.in_state(rollout, "succeeded")
    await fleet.check_success(rollout, bundle, limit=1)


async def test_a_supervised_operator_comes_back_by_itself(plane: Plane, tenant: Tenant) -> None:
    async with plane.supervised_operator() as service:
        await tenant.prepare(agents=12, push_seconds=0.5, max_parallel_rollouts=LIMIT)
        await tenant.start()
        await tenant.until_accepted(3)
        before = service.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await until(partial(_another, service, before), "the next process", 30)
        await tenant.finished("succeeded")
        await tenant.check_success(LIMIT)


def _another(service: Service, before: int) -> bool:
    return service.pid not in {None, before}


async def test_killed_before_it_heard_that_its_orders_were_accepted(
    plane: Plane, operator: OperatorProcess, tenant: Tenant
) -> None:
    """The agents are busy over the whole change of leaders; nothing may be added to them."""
    await tenant.prepare(agents=6, push_seconds=0.2, max_parallel_rollouts=LIMIT)
    oracle = tenant.fleet.oracle
    tenant.hold(on=True)
    tenant.when_accepted(LIMIT, operator.shoot)
    await tenant.start()
    await tenant.until_busy(LIMIT)
    await operator.wait_exit()
    await plane.successor()
    await tenant.until_asked(8)  # by the successor
    assert len(oracle.accepted) == LIMIT
    tenant.hold(on=False)
    await tenant.finished("succeeded")
    await tenant.check_success(LIMIT)
