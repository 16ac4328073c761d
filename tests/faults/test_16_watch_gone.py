"""Watches that cannot go on where they stopped: etcd has forgotten what happened meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hydracore_crds import Instance, Rollout
from hydracore_kube import Gone
from tests.faults.etcd import compact
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(16)]
AGENTS, LIMIT = 8, 2
LEASE_SECONDS = 120
"""So long that the frozen operator still leads when it is thawed, and has to find out by itself."""
STRIP: dict[str, Any] = {"metadata": {"finalizers": None}}


async def test_what_was_deleted_meanwhile_leaves_no_ghost(
    plane: Plane, tenant: Tenant, tmp_path: Path
) -> None:
    async with plane.only_operator(HYDRACORE_LEASE_SECONDS=str(LEASE_SECONDS)) as operator:
        await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
        tenant.hold(on=True)
        await tenant.start("other", paused=True, instance_names=["i00"])
        await tenant.start()
        await tenant.until_busy(LIMIT)
        busy = {task.instance_id for task in _busy(tenant)}
        victims = [a.instance_id for a in tenant.agents if a.instance_id not in busy][-2:]

        before = (await plane.admin.list(Instance, tenant.namespace))[1]
        operator.freeze()
        await _vanish(plane, tenant, victims)
        await compact(plane)
        await plane.dev.restart_apiserver()
        await _is_gone(plane, tenant, before)
        operator.thaw()
        await until(lambda: _knows(plane, operator), "it to know what is there", 60)
        tenant.hold(on=False)
        await tenant.finished("succeeded")
        assert operator.alive, "it went on by itself"
        assert await operator.leads()

    oracle = tenant.fleet.oracle
    assert {instance for instance, _ in oracle.accepted}.isdisjoint(victims)
    assert oracle.most_in_flight <= LIMIT
    assert len(oracle.accepted) == len(oracle.activated) == AGENTS - len(victims)
    targets = {t.spec.instance_id: t for t in await tenant.targets()}
    assert {targets[victim].status.state for victim in victims} == {"cancelled"}
    await tenant.check_counts(succeeded=AGENTS - len(victims), cancelled=len(victims))


def _busy(tenant: Tenant) -> list[Any]:
    return [agent for agent in tenant.agents if agent.active is not None]


async def _vanish(plane: Plane, tenant: Tenant, identities: list[str]) -> None:
    """Remove Instances and a Rollout for good, with no operator looking."""
    found, _ = await plane.admin.list(Instance, tenant.namespace)
    gone: list[tuple[type[Any], str]] = [
        (Instance, i.metadata.name) for i in found if i.spec.id in identities
    ]
    assert len(gone) == len(identities)
    for kind, name in [*gone, (Rollout, "other")]:
        await plane.admin.patch(kind, name, tenant.namespace, STRIP)
        await plane.admin.delete(kind, name, tenant.namespace)


async def _is_gone(plane: Plane, tenant: Tenant, version: str) -> None:
    """Assert that the API server cannot tell any more what came after this version."""
    events = plane.admin.watch(Instance, tenant.namespace, resource_version=version)
    with pytest.raises(Gone):
        await anext(events)


async def _knows(plane: Plane, operator: OperatorProcess) -> bool:
    """Whether the operator counts as many objects as there are."""
    said = await operator.status()
    if said is None:
        return False
    there = {
        kind.KIND.plural: len((await plane.admin.list(kind))[0]) for kind in (Instance, Rollout)
    }
    return bool({plural: said["objects"][plural] for plural in there} == there)
