"""Rollouts by manifests and kubectl only; what was done is counted by the agents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.kubectl import Kubectl
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.usefixtures("operator")]
AGENTS = 5
LIMIT = 2
WAIT_SECONDS = 30.0


@pytest.fixture
def kubectl(plane: Plane, operator: OperatorProcess, tenant: Tenant) -> Kubectl:
    return Kubectl(plane, tenant.namespace)


async def reason(tenant: Tenant, wanted: str, name: str = "roll") -> None:
    """Wait until the rollout's condition Progressing gives this reason."""

    async def look() -> bool:
        return await tenant.reason(name) == wanted

    await until(look, f"the reason {wanted}", WAIT_SECONDS)


async def states(tenant: Tenant, wanted: dict[str, int]) -> None:
    """Wait until the targets are in these states."""

    async def look() -> bool:
        return dict(await tenant.states()) == wanted

    await until(look, f"targets {wanted}", WAIT_SECONDS)


async def test_made_paused_then_unpaused(tenant: Tenant, kubectl: Kubectl) -> None:
    await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
    spec: dict[str, Any] = {"bundleName": tenant.bundle.metadata.name, "paused": True}
    await kubectl.apply("Rollout", "roll", spec)
    await reason(tenant, "Paused")
    await states(tenant, {"queued": AGENTS})
    assert tenant.fleet.oracle.accepted == []

    await kubectl.apply("Rollout", "roll", {**spec, "paused": False})
    await tenant.finished("succeeded")
    await tenant.check_success(LIMIT)


async def test_a_graceful_cancel_lets_what_is_in_flight_finish(
    tenant: Tenant, kubectl: Kubectl
) -> None:
    await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
    tenant.hold(on=True)
    oracle = tenant.fleet.oracle
    await kubectl.apply("Rollout", "roll", {"bundleName": tenant.bundle.metadata.name})
    await tenant.until_busy(LIMIT)

    patch = json.dumps({"spec": {"cancel": "Graceful"}})
    await kubectl("patch", "rollout", "roll", "--type", "merge", "-p", patch)
    await states(tenant, {"in_progress": LIMIT, "cancelled": AGENTS - LIMIT})
    assert len(oracle.in_flight) == LIMIT, "they are not disturbed"
    tenant.hold(on=False)

    await tenant.finished("cancelled")
    assert len(oracle.accepted) == len(oracle.activated) == LIMIT
    await tenant.check_counts(succeeded=LIMIT, cancelled=AGENTS - LIMIT)
    back = json.dumps({"spec": {"cancel": None}})
    refused = await kubectl.try_("patch", "rollout", "roll", "--type", "merge", "-p", back)
    assert refused.returncode != 0
    assert "cancel cannot be taken back" in refused.stderr


async def test_a_retry_by_patching_the_target(tenant: Tenant, kubectl: Kubectl) -> None:
    await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
    oracle, bad = tenant.fleet.oracle, tenant.agents[2]
    bad.faults.outcome = "rolled_back"
    bad.faults.message = "it did not get healthy"
    await kubectl.apply(
        "Rollout",
        "roll",
        {
            "bundleName": tenant.bundle.metadata.name,
            "strategy": {"failureThreshold": {"count": AGENTS}},
        },
    )
    await tenant.finished("failed")
    await tenant.check_counts(succeeded=AGENTS - 1, failed=1)
    by_instance = {target.spec.instance_id: target for target in await tenant.targets()}
    failed = by_instance[bad.instance_id]
    assert failed.status.error_message == "it did not get healthy"

    bad.faults.outcome = "activated"
    retry = ("--type", "merge", "-p", json.dumps({"spec": {"attempt": 2}}))
    good = by_instance[tenant.agents[0].instance_id].metadata.name
    refused = await kubectl.try_("patch", "rollouttarget", good, *retry)
    assert refused.returncode != 0
    assert "a retry needs a target that is failed or uncertain" in refused.stderr
    await kubectl("patch", "rollouttarget", failed.metadata.name, *retry)
    await tenant.finished("succeeded")

    await tenant.check_counts(succeeded=AGENTS)
    tries = [task for instance, task in oracle.accepted if instance == bad.instance_id]
    assert len(tries) == len(set(tries)) == 2
    assert oracle.activations_of(bad.instance_id) == 1
    assert len(oracle.accepted) == AGENTS + 1
    assert oracle.most_in_flight <= LIMIT


async def test_outside_the_window_only_an_override_starts(tenant: Tenant, kubectl: Kubectl) -> None:
    await tenant.prepare(agents=AGENTS, max_parallel_rollouts=LIMIT)
    hour = datetime.now(UTC).hour
    window = {"startHourUtc": (hour + 2) % 24, "endHourUtc": (hour + 3) % 24}
    policy = {"maxParallelRollouts": LIMIT, "maintenanceWindow": window}
    await kubectl.apply("UpdatePolicy", "default", policy)
    spec = {"bundleName": tenant.bundle.metadata.name}
    await kubectl.apply("Rollout", "roll", spec)
    await reason(tenant, "WaitingForWindow")
    assert tenant.fleet.oracle.accepted == []

    await kubectl.apply("Rollout", "urgent", {**spec, "overrideWindow": True})
    await tenant.finished("succeeded", "urgent")
    await tenant.finished("cancelled", "roll")
    oracle = tenant.fleet.oracle
    by_rollout: dict[str, set[str | None]] = {"roll": set(), "urgent": set()}
    for target in await tenant.targets():
        by_rollout[target.spec.rollout_name].add(target.status.task_id)
    assert {task for _, task in oracle.activated} == by_rollout["urgent"]
    assert by_rollout["roll"] == {None}
    assert len(oracle.accepted) == len(oracle.activated) == AGENTS
    assert oracle.most_in_flight <= LIMIT
