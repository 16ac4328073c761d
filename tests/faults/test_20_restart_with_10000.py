"""An operator is started again when there are 10,000 Instances."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.instance import InstanceSpec, InstanceStatus
from hydracore_crds.names import FINALIZER
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.client import Api
from hydracore_devcluster.layout import ProjectLayout
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane, running_plane
from tests.faults.quiet import WRITES, requests
from tests.faults.simulated import Tenant
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(20)]
INSTANCES = 10_000
AT_ONCE = 32
AGENTS, LIMIT = 6, 2
PEAK_MIB = 768
"""Three quarters of what the chart gives an operator."""
SETTINGS = {"HYDRACORE_LEASE_SECONDS": "15", "HYDRACORE_HEALTH_INTERVAL_SECONDS": "10"}
"""The defaults."""
PAGE = 500
WATCHED_SECONDS = 60.0
CONVERGE_SECONDS = 400.0
START_SECONDS = 120.0


@pytest_asyncio.fixture(loop_scope="session")
async def plane(assets: Assets, project: ProjectLayout, tmp_path: Path) -> AsyncIterator[Plane]:
    """A control plane of its own: what is left in it would be in the others' way."""
    async with running_plane(tmp_path / "plane", assets, project) as made:
        yield made


async def test_memory_and_requests_are_bounded_and_nothing_is_pushed_again(
    plane: Plane, tenant: Tenant
) -> None:
    """They are of a class that is missing, and have the status that this gives them.

    The figures go to standard output: ``pytest -rP`` shows them.
    """
    first = await plane.one_operator()
    await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
    await tenant.start()
    await tenant.finished("succeeded")
    await tenant.check_success(LIMIT)
    await _instance(plane, tenant.namespace, "many")
    stored = await until(lambda: _refused(plane, tenant.namespace), "a status", 30)
    await first.stop()
    await _create(plane, tenant.namespace, stored.status)
    async with await Api.connect(plane.dev.admin_kubeconfig) as api:
        before = await requests(api)
        second = plane.start_operator(**SETTINGS)
        plane.operators = [second]
        began = time.monotonic()
        await until(second.leads, "the next operator to lead", START_SECONDS, state=second.tail)
        lead_seconds = time.monotonic() - began
        await until(lambda: _reconciled(second), "a look at all of them", CONVERGE_SECONDS)
        look_seconds = time.monotonic() - began
        await asyncio.sleep(max(0.0, WATCHED_SECONDS - look_seconds))
        made = await requests(api) - before
    peak = _peak_mib(second)
    told = (
        f"peak {peak} MiB, leading after {lead_seconds:.1f} s, all seen after {look_seconds:.1f} s"
    )
    sys.stdout.write(f"{told}, requests {dict(made)}\n")
    assert peak < PEAK_MIB, told
    written = {key: n for key, n in made.items() if key[0] in WRITES and key[1] != "leases"}
    assert written == {("PUT", "configmaps"): 1}, "only the epoch is written (ADR 14)"
    reads = Counter({verb: sum(n for (v, _), n in made.items() if v == verb) for verb, _ in made})
    assert reads["GET"] < INSTANCES / 10, "nothing is read one by one"
    # Once for the first list, once for the watch, once when it leads; with room for another.
    assert reads["LIST"] < 4 * (INSTANCES / PAGE + 10)
    await tenant.check_success(LIMIT)
    await second.kill()


async def _instance(plane: Plane, namespace: str, name: str) -> Instance:
    meta = ObjectMeta(name=name, namespace=namespace, finalizers=[FINALIZER])
    spec = InstanceSpec(id=str(uuid4()), class_name="missing", region_id="none")
    return await plane.admin.create(Instance(metadata=meta, spec=spec))


async def _refused(plane: Plane, namespace: str) -> Instance | None:
    """Return the first of them once the operator has said what is wrong with it."""
    found = await plane.admin.get(Instance, "many", namespace)
    return found if found.status.state == "failed" else None


async def _create(plane: Plane, namespace: str, status: InstanceStatus) -> None:
    """Create the others, many at a time, with this status."""
    numbers = iter(range(INSTANCES - 1))

    async def some() -> None:
        for number in numbers:
            made = await _instance(plane, namespace, f"many-{number:05d}")
            await plane.admin.update_status(made, status)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())


async def _reconciled(operator: OperatorProcess) -> bool:
    """Whether the operator has looked at every Instance once."""
    assert operator.alive, operator.tail()
    said = await operator.status()
    return said is not None and said["queues"]["instances"]["reconciled"] >= INSTANCES


def _peak_mib(operator: OperatorProcess) -> int:
    """Return the most memory that the process ever held."""
    text = Path(f"/proc/{operator.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) // 1024
