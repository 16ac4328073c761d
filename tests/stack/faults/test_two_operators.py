"""Two operator processes, of which the leader is frozen past its Lease and thawed again."""

from __future__ import annotations

import pytest

from tests.stack.faults.operators import OperatorProcess
from tests.stack.faults.plane import Plane
from tests.stack.faults.simulated import Tenant

pytestmark = pytest.mark.stack
LIMIT = 2
ROUNDS = 2


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
    await tenant.until_oracle(lambda: len(oracle.in_flight) == LIMIT, "all slots in use")

    operator.freeze()
    await standby.wait_leading()
    asked = oracle.asked
    await tenant.until_oracle(lambda: oracle.asked > asked + 8, "the successor's questions")
    assert len(oracle.accepted) == LIMIT
    operator.thaw()
    tenant.hold(on=False)

    assert await operator.wait_exit() == 1
    await tenant.finished("succeeded")
    await tenant.check_success(LIMIT)


async def test_leaders_frozen_while_they_start_targets(
    plane: Plane, operator: OperatorProcess, tenant: Tenant
) -> None:
    """Each leader is frozen while orders come and go, so that some may be half under way."""
    await tenant.prepare(agents=40, push_seconds=0.4, max_parallel_rollouts=LIMIT)
    oracle, leader = tenant.fleet.oracle, operator
    standby = plane.start_operator()
    await standby.wait_standby()
    await tenant.start()
    for _ in range(ROUNDS):
        before = len(oracle.accepted)
        await tenant.until_oracle(
            lambda before=before: len(oracle.accepted) > before + 2, "the leader's orders"
        )
        leader.freeze()
        await standby.wait_leading()
        before = len(oracle.accepted)
        await tenant.until_oracle(
            lambda before=before: len(oracle.accepted) > before, "the successor's orders"
        )
        leader.thaw()
        assert await leader.wait_exit() == 1
        leader, standby = standby, plane.start_operator()
        await standby.wait_standby()
    await tenant.finished("succeeded")
    await tenant.check_success(LIMIT)
