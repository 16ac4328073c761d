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


class Stop:
    """Where one agent's download stops."""

    def __init__(self, place: int) -> None:
        self.left = place
        self.reached = asyncio.Event()
        self.released = asyncio.Event()


class StopsAt(Faults):
    """Passes so many bytes of a bundle on to each agent in turn, the rest when it is released."""

    def __init__(self, sha256: str, places: list[int]) -> None:
        self._path = f"/agent/v1/bundles/{sha256}"
        self.stops = [Stop(place) for place in places]
        self._by_agent: dict[str, Stop] = {}

    def _stop(self, call: Call) -> Stop | None:
        """Return where this call is to stop; None once it may go on."""
        if call.path != self._path:
            return None
        if call.sender not in self._by_agent:
            self._by_agent[call.sender] = self.stops[len(self._by_agent)]
        stop = self._by_agent[call.sender]
        return None if stop.released.is_set() else stop

    async def request(self, call: Call) -> None:
        stop = self._stop(call)
        if stop is not None and stop.reached.is_set():
            await stop.released.wait()

    async def chunk(self, call: Call, sent: int, data: bytes) -> bytes:
        stop = self._stop(call)
        if stop is None:
            return data
        passed = data[: stop.left]
        stop.left -= len(passed)
        return passed

    async def told(self, call: Call, data: bytes) -> None:
        stop = self._stop(call)
        if stop is not None and stop.left == 0:
            stop.reached.set()
            await stop.released.wait()
            raise CutError


async def test_killed_at_its_first_its_middle_and_its_last_byte(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """One rollout with one slot; every agent is killed at another byte, and then goes on."""
    bundle = await plane.publish_runtime()
    size = bundle.spec.artifact.size_bytes
    stops = StopsAt(bundle.spec.artifact.sha256, [1, size // 2, size - 1])
    plane.front.faults = stops
    rollout = await fleet.start(bundle, limit=1)
    for number, stop in enumerate(stops.stops):
        server = await fleet.seen(bundle, "accepted", count=number + 1)
        await happened(stop.reached, f"stop {number} of {size} bytes")
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
    await fleet.in_state(rollout, "succeeded")
    await fleet.check_success(rollout, bundle, limit=1)
