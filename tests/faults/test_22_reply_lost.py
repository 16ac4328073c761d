"""A real agent takes an order, and its answers are lost on their way back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from hydracore_crds import Instance, ObjectMeta, Rollout
from hydracore_crds.bundle import Bundle
from hydracore_crds.rollout import RolloutSpec, Strategy
from hydracore_operator.providers.local.machine import read_record, write_record
from tests.faults import ledgers
from tests.faults.fleet import TENANT, Fleet, Server
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.proxy import Call, CutError, Faults, Proxy
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(22)]
TIMEOUT_SECONDS = 25
EVIDENCE_SECONDS = 60.0


class LosesAnswers(Faults):
    """Lets requests through and cuts the answers: to the first order, or to everything."""

    def __init__(self, *, to_everything: bool) -> None:
        self._to_everything = to_everything
        self.lost = 0

    async def answer(self, call: Call, status: int) -> None:
        first_order = call.method == "POST" and call.path == "/api/orders" and not self.lost
        if self._to_everything or first_order:
            self.lost += 1
            raise CutError


async def test_the_order_is_not_given_twice(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """The answer to the order is lost; the next question finds out that it was taken."""
    bundle, server = await plane.publish_runtime(), fleet.servers[0]
    async with _through_proxy(plane, server) as proxy:
        losing = proxy.faults = LosesAnswers(to_everything=False)
        rollout = await _start(plane, fleet, bundle, server)
        await fleet.in_state(rollout, "succeeded")
        assert losing.lost == 1
        await _check_once(fleet, rollout, bundle, server)


async def test_silence_past_the_deadline_is_uncertain_until_there_is_evidence(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    bundle, server = await plane.publish_runtime(), fleet.servers[1]
    async with _through_proxy(plane, server) as proxy:
        proxy.faults = LosesAnswers(to_everything=True)
        rollout = await _start(plane, fleet, bundle, server)
        ended = await fleet.in_state(rollout, "failed")
        assert ended.status.counts is not None
        assert (ended.status.counts.uncertain, ended.status.counts.total) == (1, 1)
        target = (await fleet.targets(rollout))[server.name]
        assert target.status.state == "uncertain"
        # The agent knows better, and is believed once it can be heard.
        assert ledgers.flights(server.folder, bundle.spec.artifact.sha256)[0].outcome == "activated"
        proxy.faults = Faults()

        async def settled() -> bool:
            return (await fleet.rollout(rollout)).status.state == "succeeded"

        await until(settled, "the evidence", EVIDENCE_SECONDS, state=operator.tail)
        await _check_once(fleet, rollout, bundle, server)


async def _start(plane: Plane, fleet: Fleet, bundle: Bundle, server: Server) -> Rollout:
    """Roll out to one server, with little time for it."""
    spec = RolloutSpec(
        bundle_name=bundle.metadata.name,
        instance_names=[server.name],
        strategy=Strategy(target_timeout_seconds=TIMEOUT_SECONDS),
    )
    meta = ObjectMeta(name=f"lost-{server.name}", namespace=TENANT)
    return await plane.admin.create(Rollout(metadata=meta, spec=spec))


async def _check_once(fleet: Fleet, rollout: Rollout, bundle: Bundle, server: Server) -> None:
    """Assert from the agent's ledger that the order was taken and carried out once."""
    (flight,) = ledgers.flights(server.folder, bundle.spec.artifact.sha256)
    target = (await fleet.targets(rollout))[server.name]
    assert (flight.outcome, flight.task_id) == ("activated", target.status.task_id)
    assert target.status.state == "succeeded"
    assert ledgers.ends_of(server.folder, bundle.spec.artifact.sha256) == {flight.task_id: 1}


@contextlib.asynccontextmanager
async def _through_proxy(plane: Plane, server: Server) -> AsyncIterator[Proxy]:
    """Have operators reach one agent through a proxy: its provider says that it is there."""
    own = server.endpoint.url
    async with Proxy(own) as proxy:
        await _move(plane, server, proxy.url)
        try:
            yield proxy
        finally:
            proxy.faults = Faults()
            await _move(plane, server, own)


async def _move(plane: Plane, server: Server, url: str) -> None:
    """Change the address in the provider's record, and wait until the Instance has it."""
    record = read_record(server.folder)
    assert record is not None
    write_record(server.folder, {**record, "port": urlsplit(url).port})
    # A change of its Instance makes the operator look.
    body: dict[str, Any] = {"metadata": {"annotations": {"example.org/moved-to": url}}}
    await plane.admin.patch(Instance, server.name, TENANT, body)

    async def moved() -> bool:
        found = await plane.admin.get(Instance, server.name, TENANT)
        return found.status.agent_url == url

    await until(moved, "the agent's new address", 30, state=plane.describe_operators)
