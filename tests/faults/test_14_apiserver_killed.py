"""SIGKILL of the API server in the middle of a rollout; then everything has to be quiet."""

from __future__ import annotations

import pytest

from tests.faults.fleet import Fleet
from tests.faults.plane import Plane
from tests.faults.quiet import check_quiet
from tests.faults.simulated import Tenant

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(14)]
LIMIT = 2


async def test_the_rollout_goes_on_and_then_nothing_is_written(
    plane: Plane, fleet: Fleet, tenant: Tenant
) -> None:
    """Real agents stand by, so that their health and heartbeats count too in the quiet time."""
    async with plane.supervised_operator():
        await tenant.prepare(agents=12, push_seconds=0.5, max_parallel_rollouts=LIMIT)
        oracle = tenant.fleet.oracle
        await tenant.start()
        await tenant.until_accepted(3)
        await plane.dev.restart_apiserver()
        await tenant.finished("succeeded")
        await tenant.check_success(LIMIT)
        await fleet.all_ready()

        asked = oracle.asked
        await check_quiet(plane)
    assert oracle.asked > asked, "the operator was at work all the time"
