"""A watch that loses events and tells others again, long after."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import pytest

from hydracore_crds import Instance
from tests.faults.fleet import TENANT, Fleet
from tests.faults.kubectl import Kubectl
from tests.faults.orders import absent, order, ready, server_gone, server_of
from tests.faults.plane import Plane
from tests.faults.proxied import behind_proxy
from tests.faults.proxy import Call, Faults
from tests.faults.quiet import check_quiet
from tests.faults.simulated import Tenant

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(19)]
AGENTS, LIMIT = 10, 2
SEED = 19
DROPPED = REPLAYED = 0.3
RELIST_SECONDS = "5"
NAME = "unheard"


class Unreliable(Faults):
    """Drops events, and after some others repeats an older one of the same watch."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self._past: dict[str, list[bytes]] = defaultdict(list)
        self.dropped = self.replayed = 0

    async def event(self, call: Call, line: bytes, age: float) -> list[bytes]:
        if b'"BOOKMARK"' in line:
            return [line]
        past = self._past[call.path]
        past.append(line)
        passed = [line]
        if self._random.random() < DROPPED:
            self.dropped += 1
            passed = []
        if self._random.random() < REPLAYED:
            self.replayed += 1
            passed.append(self._random.choice(past))
        return passed


async def test_it_converges_and_comes_to_rest(
    plane: Plane, fleet: Fleet, tenant: Tenant, tmp_path: Path
) -> None:
    """A rollout with a pause in it, an Instance made and deleted; then a minute of silence."""
    async with behind_proxy(plane, tmp_path, HYDRACORE_RELIST_SECONDS=RELIST_SECONDS) as (proxy, _):
        events = proxy.faults = Unreliable()
        await tenant.prepare(agents=AGENTS, push_seconds=0.5, max_parallel_rollouts=LIMIT)
        await tenant.start()
        await tenant.until_accepted(3)
        kubectl = Kubectl(plane, tenant.namespace)
        await kubectl("patch", "rollout", "roll", "--type", "merge", "-p", _paused(on=True))
        made = await order(plane, NAME)
        await tenant.until_busy(0)
        await kubectl("patch", "rollout", "roll", "--type", "merge", "-p", _paused(on=False))
        await tenant.finished("succeeded")
        await tenant.check_success(LIMIT)

        await ready(plane, NAME)
        server = server_of(plane, made.metadata.uid)
        await plane.admin.delete(Instance, NAME, TENANT)
        await absent(plane, NAME)
        await server_gone(plane, server)
        assert min(events.dropped, events.replayed) > AGENTS
        await check_quiet(plane)


def _paused(*, on: bool) -> str:
    return f'{{"spec": {{"paused": {str(on).lower()}}}}}'
