"""An Instance is deleted when its server exists and the server's id is not stored yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydracore_crds import Instance
from tests.faults.fleet import TENANT, Fleet
from tests.faults.orders import absent, order, server_gone, server_of, stores_the_server
from tests.faults.plane import Plane
from tests.faults.proxied import behind_proxy
from tests.faults.proxy import Held
from tests.faults.waiting import happened

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(8)]
NAME = "shortlived"


async def test_the_server_goes_although_its_id_was_never_stored(
    plane: Plane, fleet: Fleet, tmp_path: Path
) -> None:
    async with behind_proxy(plane, tmp_path) as (proxy, _):
        held = proxy.faults = Held(stores_the_server(NAME))
        made = await order(plane, NAME)
        await happened(held.caught, "the server's id to be stored")
        server = server_of(plane, made.metadata.uid)
        await plane.admin.delete(Instance, NAME, TENANT)
        held.released.set()
        await absent(plane, NAME)
        await server_gone(plane, server)
    assert held.status == 409


async def test_the_next_operator_finds_it_by_its_labels(
    plane: Plane, fleet: Fleet, tmp_path: Path
) -> None:
    """The operator that made it is killed before it can say what it made."""
    async with behind_proxy(plane, tmp_path) as (proxy, operator):
        held = proxy.faults = Held(stores_the_server(NAME))
        made = await order(plane, NAME)
        await happened(held.caught, "the server's id to be stored")
        server = server_of(plane, made.metadata.uid)
        await operator.kill()
        held.released.set()
    await plane.admin.delete(Instance, NAME, TENANT)
    stored = await plane.admin.get(Instance, NAME, TENANT)
    assert stored.status.provider is not None
    assert stored.status.provider.server_id is None
    await plane.one_operator()
    await absent(plane, NAME)
    await server_gone(plane, server)
