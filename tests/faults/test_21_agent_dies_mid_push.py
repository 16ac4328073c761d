"""A real agent is killed when it has so many bytes of a bundle; its slot stays taken."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults import ledgers
from tests.faults.fleet import Fleet, kill
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.proxy import Call, CutError, Faults
from tests.faults.waiting import happened

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(21)]


class StopsAt(Faults):
    """Passes so many bytes of a bundle on and then nothing, until it is released."""

    def __init__(self, sha256: str, limit: int) -> None:
        self._path = f"/agent/v1/bundles/{sha256}"
        self._left = limit
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def request(self, call: Call) -> None:
        if call.path == self._path and self.reached.is_set():
            await self.released.wait()

    async def chunk(self, call: Call, sent: int, data: bytes) -> bytes:
        if call.path != self._path:
            return data
        passed = data[: self._left]
        self._left -= len(passed)
        return passed

    async def told(self, call: Call, data: bytes) -> None:
        if call.path == self._path and self._left == 0:
            self.reached.set()
            await self.released.wait()
            raise CutError


async def test_killed_at_its_first_its_middle_and_its_last_byte(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """One rollout with one slot; every agent is killed at another byte, and then goes on."""
    bundle = await plane.publish_runtime()
    size = bundle.spec.artifact.size_bytes
    places = [1, size // 2, size - 1]
    rollout = None
    for number, place in enumerate(places):
        stop = plane.front.faults = StopsAt(bundle.spec.artifact.sha256, place)
        if rollout is None:
            rollout = await fleet.start(bundle, limit=1)
        server = await fleet.seen(bundle, "accepted", count=number + 1)
        await happened(stop.reached, f"byte {place} of {size}")
        await kill(await fleet.agent_pid(server))
        assert (await fleet.targets(rollout))[server.name].status.state == "in_progress"
        others = [s for s in fleet.servers if s.name != server.name]
        before = {s.name: ledgers.names_of(s.folder, bundle.spec.artifact.sha256) for s in others}
        await fleet.agent_pid(server)  # it is back, and has not said how the order ended
        assert before == {
            s.name: ledgers.names_of(s.folder, bundle.spec.artifact.sha256) for s in others
        }
        stop.released.set()
        plane.front.faults = Faults()
    assert rollout is not None
    await fleet.in_state(rollout, "succeeded")
    await fleet.check_success(rollout, bundle, limit=1)
