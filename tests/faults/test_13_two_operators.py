"""Two operator processes, of which the leader is frozen past its Lease and thawed again."""

from __future__ import annotations

import pytest

from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(13)]
LIMIT = 2
ROUNDS = 1


async def test_a_frozen_leader_does_no_harm_when_it_comes_back(
    plane: Plane, operator: OperatorProcess, tenant: Tenant
) -> None:
    """The leader is frozen with its slots taken, so that its successor finds them so."""
    await tenant.prepare(agents=10, push_seconds=0.3, max_parallel_rollouts=LIMIT)
    oracle = tenant.fleet.oracle
    standby = plane.start_operator()
    await standby.wait_standby()
    tenant.hold(on=True)
    await tenant.start()
    await tenant.until_busy(LIMIT)

    operator.freeze()
    await standby.wait_leading()
    await tenant.until_asked(8)  # by the successor
    assert len(oracle.accepted) == LIMIT
    operator.thaw()
    tenant.hold(on=False)

    assert await operator.wait_exit() == 1
    await tenant.finished("succeeded")
    await tenant.check_success(LIMIT)


async def test_leaders_frozen_while_they_send_orders(
    plane: Plane, operator: OperatorProcess, tenant: Tenant
) -> None:
    """Each leader is frozen before it is answered, with other orders about to go out or to end."""
    await tenant.prepare(agents=30, push_seconds=0.4, max_parallel_rollouts=LIMIT)
    oracle, leader = tenant.fleet.oracle, operator
    standby = plane.start_operator()
    await standby.wait_standby()
    tenant.when_accepted(3, leader.freeze)
    await tenant.start()
    for _ in range(ROUNDS):
        await standby.wait_leading()
        await tenant.until_accepted(len(oracle.accepted) + 1)  # by the successor
        leader.thaw()
        assert await leader.wait_exit() == 1
        tenant.hold(on=True)  # the rollout must not end while the next process starts
        leader, standby = standby, plane.start_operator()
        await standby.wait_standby()
        tenant.when_accepted(len(oracle.accepted) + 1, leader.freeze)
        tenant.hold(on=False)
    await standby.wait_leading()
    leader.thaw()
    await tenant.finished("succeeded")
    await tenant.check_success(LIMIT)
