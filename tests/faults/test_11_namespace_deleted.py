"""A tenant's namespace is deleted with twenty Instances in it, some of them half made."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydracore_cli.stack.content import ensure_tenant
from hydracore_crds import Instance
from hydracore_history import History
from hydracore_kube import NotFound, Where
from hydracore_operator.providers.base import NAMESPACE_LABEL
from hydracore_operator.providers.local.processes import members
from hydracore_operator.providers.local.record import ServerRecord, records
from hydracore_operator.rollouts.ledger import ledger_name
from tests.faults.fleet import Fleet
from tests.faults.kubectl import Kubectl
from tests.faults.operators import OperatorProcess
from tests.faults.orders import order
from tests.faults.plane import Plane
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(11)]
CROWD = "crowd"
INSTANCES = 20
SECONDS = 240.0


async def test_servers_and_namespace_go(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """Real controllers delete the contents; the operator has to let go of every finalizer."""
    await ensure_tenant(plane.admin, CROWD)
    namespace = await plane.admin.get_raw(Where("v1", "namespaces", None, CROWD))
    made = [await order(plane, f"one-{n:02d}", CROWD) for n in range(INSTANCES)]

    def ordered() -> bool:
        plane.revive()
        return len(_servers(plane)) == INSTANCES

    await until(ordered, "all servers", SECONDS, every=0.2, state=plane.describe_operators)
    servers = _servers(plane)
    others = {server.name: server.machine_pid for server in fleet.servers}
    await Kubectl(plane, CROWD)("delete", "namespace", CROWD, "--wait=false")

    async def gone() -> bool:
        plane.revive()
        try:
            await plane.admin.get_raw(Where("v1", "namespaces", None, CROWD))
        except NotFound:
            return True
        return False

    await until(gone, "the namespace to go", SECONDS, every=0.5, state=plane.describe_operators)
    assert _servers(plane) == []
    assert [members(server) for server in servers] == [[]] * INSTANCES
    assert (await plane.admin.list(Instance, CROWD))[0] == []
    assert {server.name: server.machine_pid for server in fleet.servers} == others

    async def ledger_gone() -> bool:
        place = Where("v1", "configmaps", "hydracore-system", None)
        found, _ = await plane.admin.list_raw(place)
        return ledger_name(namespace["metadata"]["uid"]) not in {
            item["metadata"]["name"] for item in found
        }

    await until(ledger_gone, "the tenant's ledger to go", 30)
    await _remembered(plane, [instance.metadata.uid for instance in made])


def _servers(plane: Plane) -> list[ServerRecord]:
    """Return the servers of the crowd, by the provider's ledger."""
    root: Path = plane.layout.servers
    return [r for _, r in records(root) if r.labels.get(NAMESPACE_LABEL) == CROWD]


async def _remembered(plane: Plane, identities: list[str]) -> None:
    """Assert that history has a tombstone of every Instance."""
    history = History(plane.database_url)
    try:
        for identity in identities:
            found = await history.tombstones.get(identity)
            assert found is not None
            assert found.namespace == CROWD
    finally:
        await history.close()
