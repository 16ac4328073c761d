"""An Instance is deleted and another of its name created while the first one's server is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hydracore_agentclient import AgentEndpoint
from hydracore_crds import Instance
from tests.faults.fleet import TENANT, Fleet
from tests.faults.orders import absent, order, ready, server_gone, server_of, stores_the_server
from tests.faults.plane import Plane
from tests.faults.proxied import behind_proxy
from tests.faults.proxy import Held
from tests.faults.waiting import happened

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(12)]
NAME = "phoenix"
SETTINGS = {"HYDRACORE_ORPHAN_GRACE_SECONDS": "4", "HYDRACORE_ORPHAN_SWEEP_SECONDS": "1"}
STRIP: dict[str, Any] = {"metadata": {"finalizers": None}}


async def test_the_new_instance_inherits_nothing(
    plane: Plane, fleet: Fleet, tmp_path: Path
) -> None:
    """The old one's server is an orphan then: the collector takes it."""
    async with behind_proxy(plane, tmp_path, **SETTINGS) as (proxy, _):
        held = proxy.faults = Held(stores_the_server(NAME))
        old = await order(plane, NAME)
        await happened(held.caught, "the server's id to be stored")
        orphan = server_of(plane, old.metadata.uid)
        await plane.admin.patch(Instance, NAME, TENANT, STRIP)
        await plane.admin.delete(Instance, NAME, TENANT)
        await absent(plane, NAME)
        new = await order(plane, NAME)
        assert new.metadata.uid != old.metadata.uid
        held.released.set()
        await happened(held.answered, "the old object's write to be refused")
        assert held.status in {404, 409}

        found = await ready(plane, NAME)
        assert found.spec.id == new.metadata.uid
        server = server_of(plane, new.metadata.uid)
        assert found.status.provider is not None
        assert (found.status.provider.server_id, found.status.hostname) == (server.id, server.name)
        assert server.id != orphan.id
        url, key = found.status.agent_url or "", found.status.agent_public_key
        status = await plane.agents.status(AgentEndpoint(url, new.metadata.uid, key))
        assert status.instance_id == new.metadata.uid
        await server_gone(plane, orphan)
        assert server_of(plane, new.metadata.uid) == server

        await plane.admin.delete(Instance, NAME, TENANT)
        await absent(plane, NAME)
        await server_gone(plane, server)
