"""A simulated fleet in a process of its own keeps the protocol and counts what it did."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import (
    AgentClient,
    AgentEndpoint,
    AgentError,
    ControlPlaneKey,
    Order,
    Unreachable,
)
from tests.simulation.process import FleetProcess, fleet_process

SHA = "ab" * 32


def _order() -> Order:
    return Order(
        task_id=str(uuid4()),
        epoch=1,
        not_after=datetime.now(UTC) + timedelta(minutes=1),
        slug="expressclaw",
        version="2.0.0",
        sha256=SHA,
        size_bytes=10,
        key_id="k",
        signature="s",
        url="http://127.0.0.1/none",
        force=False,
    )


async def _all_ended(fleet: FleetProcess, count: int) -> dict[str, object]:
    deadline = asyncio.get_running_loop().time() + 10
    while True:
        found = await fleet.oracle()
        if found["activations"] == count or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.02)


async def test_orders_are_taken_timed_and_counted_by_the_agents() -> None:
    key = ControlPlaneKey(Ed25519PrivateKey.generate())
    client = AgentClient(key, subject="operator", now=lambda: datetime.now(UTC))
    async with fleet_process(key.public_key_base64, agents=5, order_seconds=0.3) as fleet:
        agents = await fleet.agents()
        assert len({agent.url for agent in agents}) == 5
        ends = [AgentEndpoint(a.url, a.instance_id, a.public_key) for a in agents]
        reports = [await client.send_order(end, _order()) for end in ends[:3]]
        assert [report.final for report in reports] == [False] * 3
        found = await _all_ended(fleet, 3)
        assert (found["orders"], found["mostInFlight"], found["inFlight"]) == (3, 3, 0)
        assert 0.9 <= float(str(found["slotSeconds"])) < 3
        digests = [(await client.status(end)).bundle_hash for end in ends]
        assert digests == [SHA] * 3 + ["0" * 64] * 2
        await fleet.reset(order_seconds=0)
        assert (await fleet.oracle())["orders"] == 0
    await client.close()


async def test_faults_are_switched_one_agent_at_a_time() -> None:
    key = ControlPlaneKey(Ed25519PrivateKey.generate())
    client = AgentClient(key, subject="operator", now=lambda: datetime.now(UTC))
    async with fleet_process(key.public_key_base64, agents=2) as fleet:
        one, other = (
            AgentEndpoint(a.url, a.instance_id, a.public_key) for a in await fleet.agents()
        )
        await fleet.faults([one.instance_id], silent=True)
        with pytest.raises(Unreachable):
            await client.status(one)
        assert (await client.status(other)).healthy
        await fleet.faults(silent=False)
        assert (await client.status(one)).healthy
    await client.close()


@pytest.mark.parametrize("verify", [True, False])
async def test_strangers_are_refused_only_where_signatures_are_checked(verify: bool) -> None:  # noqa: FBT001
    key = ControlPlaneKey(Ed25519PrivateKey.generate())
    stranger = AgentClient(
        ControlPlaneKey(Ed25519PrivateKey.generate()), subject="api", now=lambda: datetime.now(UTC)
    )
    async with fleet_process(key.public_key_base64, agents=1, verify=verify) as fleet:
        (agent,) = await fleet.agents()
        asking = stranger.status(AgentEndpoint(agent.url, agent.instance_id, agent.public_key))
        if verify:
            with pytest.raises(AgentError):
                await asking
        else:
            assert (await asking).healthy
    await stranger.close()
