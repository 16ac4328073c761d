"""Somebody takes the operator's finalizer off by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hydracore_crds import Instance
from hydracore_crds.names import FINALIZER, PAUSED_ANNOTATION
from hydracore_history import History
from tests.faults.fleet import TENANT, Fleet
from tests.faults.kubectl import Kubectl
from tests.faults.operators import OperatorProcess
from tests.faults.orders import order, ready, server_gone, server_of
from tests.faults.plane import Plane
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(10)]
NAME = "stripped"
GRACE_SECONDS = 4
STRIP = ("--type", "merge", "-p", json.dumps({"metadata": {"finalizers": None}}))


async def test_it_is_put_back_while_the_instance_lives(
    plane: Plane, fleet: Fleet, operator: OperatorProcess
) -> None:
    name = fleet.servers[0].name
    await Kubectl(plane, TENANT)("patch", "instance", name, *STRIP)

    async def restored() -> bool:
        found = await plane.admin.get(Instance, name, TENANT)
        return FINALIZER in found.metadata.finalizers

    await until(restored, "the finalizer to be back", 10, state=operator.tail)


async def test_the_server_of_a_vanished_instance_is_collected(plane: Plane, fleet: Fleet) -> None:
    """The others' servers stay, and the orphan is given its grace time."""
    kubectl = Kubectl(plane, TENANT)
    settings = {
        "HYDRACORE_ORPHAN_GRACE_SECONDS": str(GRACE_SECONDS),
        "HYDRACORE_ORPHAN_SWEEP_SECONDS": "1",
    }
    async with plane.only_operator(**settings):
        await order(plane, NAME)
        made = await ready(plane, NAME)
        identity = made.spec.id or ""
        server = server_of(plane, identity)
        others = {s.name: s.machine_pid for s in fleet.servers}
        # Paused, so that the operator cannot be faster than a person's two commands.
        await kubectl("annotate", "instance", NAME, f"{PAUSED_ANNOTATION}=true")
        await kubectl("patch", "instance", NAME, *STRIP)
        await kubectl("delete", "instance", NAME)
        vanished = datetime.now(UTC)
        await server_gone(plane, server)
        lasted = (datetime.now(UTC) - vanished).total_seconds()
    assert lasted >= GRACE_SECONDS - 1, "it had its grace time"
    assert {s.name: s.machine_pid for s in fleet.servers} == others
    history = History(plane.database_url)
    try:
        assert await history.credentials.get(identity) is None
    finally:
        await history.close()
