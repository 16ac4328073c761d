"""The Lease is deleted while no operator runs; agents have heard the epochs that it counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydracore_devcluster.install import NAMESPACE
from hydracore_kube import Where
from hydracore_operator.leadership.leader import LEASE_NAME
from tests.faults.sweep.rollout import SmallRollout
from tests.faults.sweep.sweep import Stage

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.sweep]


async def test_agents_take_the_next_leaders_orders(stage: Stage, tmp_path: Path) -> None:
    scenario = SmallRollout(stage.plane, tmp_path)
    async with scenario.tenant:
        await stage.with_operator(scenario, scenario.prepare)
        await stage.live(scenario, None)
        heard = {agent.instance_id: agent.epoch for agent in scenario.tenant.agents}
        assert min(heard.values()) > 1
        lease = Where("coordination.k8s.io/v1", "leases", NAMESPACE, LEASE_NAME)
        await stage.plane.admin.delete_raw(lease)

        await stage.live(scenario, None)
        assert scenario.tenant.fleet.oracle.stale == 0
        assert all(agent.epoch > heard[agent.instance_id] for agent in scenario.tenant.agents)
    await scenario.history.close()
