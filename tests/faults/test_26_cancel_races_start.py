"""A cancel reaches the operator while a start is half done: nothing starts any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from hydracore_kube import Where
from hydracore_operator.rollouts.ledger import ledger_name
from tests.faults.kubectl import Kubectl
from tests.faults.plane import Plane
from tests.faults.proxied import behind_proxy
from tests.faults.proxy import Call, Faults, Held, Proxy
from tests.faults.simulated import Tenant
from tests.faults.waiting import happened, until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(26)]
AGENTS, LIMIT = 4, 2
BATCH_SECONDS = 1.0
"""kopf gathers the events of an object for 0.1 s before it hands over the last one."""

STEPS: dict[str, Callable[[Call, str], bool]] = {
    "rollout admitted": lambda call, namespace: (
        call.path.endswith(f"/{namespace}/rollouts/roll/status") and b"targetsCreated" in call.body
    ),
    "slot claimed": lambda call, namespace: (
        call.method in {"POST", "PUT"}
        and "/configmaps" in call.path
        and namespace.encode() in call.body
    ),
    "in_progress stored": lambda call, namespace: (
        f"/{namespace}/rollouttargets/" in call.path and b"in_progress" in call.body
    ),
}
"""The writes of a start, in order; only after the last of them an order goes out."""


class HeldUntilCancelled(Held):
    """Holds a write, and notes when the operator has been told of the cancel."""

    def __init__(self, matches: Callable[[Call], bool], cancel: str) -> None:
        super().__init__(matches)
        self._marks = b'"kind":"Rollout"', f'"cancel":"{cancel}"'.encode()
        self.observed = asyncio.Event()

    async def told(self, call: Call, data: bytes) -> None:
        if all(mark in data for mark in self._marks):
            self.observed.set()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxy(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxy]:
    """What the one operator's requests go through."""
    async with behind_proxy(plane, tmp_path_factory.mktemp("proxy")) as (made, _):
        yield made


@pytest.mark.parametrize("cancel", ["Graceful", "Force"])
@pytest.mark.parametrize("step", STEPS)
async def test_cancelled_before_the_order_goes_out(
    plane: Plane, proxy: Proxy, tenant: Tenant, step: str, cancel: str
) -> None:
    await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
    matches = STEPS[step]
    held = proxy.faults = HeldUntilCancelled(lambda c: matches(c, tenant.namespace), cancel)
    await tenant.start()
    await happened(held.caught, f"the write: {step}")
    await _cancel(plane, tenant, cancel)
    await happened(held.observed, "the operator to be told of the cancel")
    await asyncio.sleep(BATCH_SECONDS)
    held.released.set()
    await tenant.finished("cancelled")
    assert tenant.fleet.oracle.accepted == []
    await tenant.check_counts(cancelled=AGENTS)
    await _ledger_empty(plane, tenant)


async def test_a_force_cancel_stops_what_is_in_flight(
    plane: Plane, proxy: Proxy, tenant: Tenant
) -> None:
    proxy.faults = Faults()
    await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
    tenant.hold(on=True)
    await tenant.start()
    await tenant.until_busy(LIMIT)
    await _cancel(plane, tenant, "Force")
    await tenant.finished("cancelled")
    tenant.hold(on=False)
    oracle = tenant.fleet.oracle
    assert (len(oracle.accepted), oracle.activated, oracle.in_flight) == (LIMIT, [], set())
    await tenant.check_counts(cancelled=AGENTS)
    await _ledger_empty(plane, tenant)


async def _cancel(plane: Plane, tenant: Tenant, mode: str) -> None:
    patch = json.dumps({"spec": {"cancel": mode}})
    kubectl = Kubectl(plane, tenant.namespace)
    await kubectl("patch", "rollout", "roll", "--type", "merge", "-p", patch)


async def _ledger_empty(plane: Plane, tenant: Tenant) -> None:
    """Wait until the tenant holds no slot."""
    namespace = await plane.admin.get_raw(Where("v1", "namespaces", None, tenant.namespace))
    name = ledger_name(namespace["metadata"]["uid"])

    async def look() -> bool:
        found: list[dict[str, Any]] = (
            await plane.admin.list_raw(Where("v1", "configmaps", "hydracore-system", None))
        )[0]
        return not any(c.get("data") for c in found if c["metadata"]["name"] == name)

    await until(look, "the ledger to be empty", 10)
