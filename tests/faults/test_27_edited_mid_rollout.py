"""kubectl edits what a rollout works with while it works: nothing is lost from its counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hydracore_crds import Instance, UpdatePolicy
from tests.faults.kubectl import Kubectl
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(27)]
AGENTS, LIMIT = 8, 2


def merge(spec: dict[str, Any]) -> tuple[str, ...]:
    return ("--type", "merge", "-p", json.dumps({"spec": spec}))


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("rollout", {"bundleName": "another-one-1.0.0"}, "cannot be changed"),
        ("rollout", {"instanceNames": ["i00"]}, "cannot be changed"),
        ("rollout", {"strategy": {"maxParallel": 50}}, "cannot be changed"),
        ("rollouttarget", {"bundleHash": "f" * 64}, "cannot be changed"),
        ("rollouttarget", {"instanceName": "i01"}, "cannot be changed"),
        ("rollouttarget", {"attempt": 2}, "a retry needs a target that is failed or uncertain"),
    ],
)
async def test_what_was_agreed_cannot_be_edited(
    plane: Plane, operator: OperatorProcess, tenant: Tenant, kind: str, spec: Any, said: str
) -> None:
    await tenant.prepare(agents=2, max_parallel_rollouts=1)
    tenant.hold(on=True)
    await tenant.start()
    await tenant.until_busy(1)
    name = {"rollout": "roll", "rollouttarget": "roll-00000"}[kind]
    kubectl = Kubectl(plane, tenant.namespace)
    refused = await kubectl.try_("patch", kind, name, *merge(spec))
    assert refused.returncode != 0
    assert said in refused.stderr
    tenant.hold(on=False)
    await tenant.finished("succeeded")
    await tenant.check_success(1)


async def test_edits_of_policy_and_instances_are_honoured(
    plane: Plane, operator: OperatorProcess, tenant: Tenant
) -> None:
    """The limit is lowered, a waiting and a running instance are deleted, a new one comes."""
    await tenant.prepare(agents=AGENTS, push_seconds=0.5, max_parallel_rollouts=4)
    kubectl, oracle = Kubectl(plane, tenant.namespace), tenant.fleet.oracle
    tenant.hold(on=True)
    await tenant.start()
    await tenant.until_busy(4)
    busy = [agent for agent in tenant.agents if agent.active is not None]
    waiting = [agent for agent in tenant.agents if agent.active is None]
    names = {i.spec.id: i.metadata.name for i in await _instances(plane, tenant)}
    await kubectl("patch", "updatepolicy", "default", *merge({"maxParallelRollouts": 1}))
    for agent in (busy[0], waiting[0]):
        await kubectl("delete", "instance", names[agent.instance_id], "--wait=false")
    await tenant.add("newcomer")
    await _limit_seen(plane, tenant, 1)
    oracle.most_in_flight = 0
    tenant.hold(on=False)
    await tenant.finished("succeeded")
    await tenant.check_counts(succeeded=AGENTS - 2, cancelled=2)
    started = {instance for instance, _ in oracle.accepted}
    assert started == {a.instance_id for a in [*busy, *waiting[1:]]}
    assert len(oracle.accepted) == len(started)
    later = oracle.accepted[4:]
    assert len(later) == AGENTS - 5
    assert oracle.most_in_flight <= 1


async def test_targets_deleted_by_hand_stay_counted(
    plane: Plane, operator: OperatorProcess, tenant: Tenant
) -> None:
    """One that has succeeded, one in flight, and one that waits."""
    await tenant.prepare(agents=AGENTS, push_seconds=0.3, max_parallel_rollouts=LIMIT)
    kubectl, oracle = Kubectl(plane, tenant.namespace), tenant.fleet.oracle
    await tenant.start(strategy={"on_failure": "continue"})
    await tenant.until_oracle(lambda: len(oracle.activated) >= 2, "two activations")
    tenant.hold(on=True)
    await tenant.until_busy(LIMIT)

    async def settled() -> bool:
        counts = (await tenant.rollout()).status.counts
        states = await tenant.states()
        return counts is not None and (counts.succeeded, counts.in_progress) == (
            states["succeeded"],
            states["in_progress"],
        ) == (len(oracle.activated), LIMIT)

    await until(settled, "counts that are up to date", 30, state=operator.tail)
    victims = {}
    for state in ("succeeded", "in_progress", "queued"):
        target = next(t for t in await tenant.targets() if (t.status.state or "queued") == state)
        victims[state] = target.spec.instance_id
        await kubectl("delete", "rollouttarget", target.metadata.name)
        await _total(tenant, AGENTS)
    tenant.hold(on=False)
    await tenant.finished("failed")

    await tenant.until_busy(0)
    found = await tenant.rollout()
    assert found.status.removed is not None
    removed = {k: n for k, n in found.status.removed.model_dump().items() if n}
    assert removed == {"total": 3, "succeeded": 1, "uncertain": 1, "cancelled": 1}
    counts = found.status.counts
    assert counts is not None
    assert (counts.total, counts.succeeded, counts.uncertain, counts.cancelled) == (
        *(AGENTS, AGENTS - 2),
        *(1, 1),
    )
    assert len(await tenant.targets()) == AGENTS - 3
    once = {agent.instance_id for agent in tenant.agents} - {victims["queued"]}
    assert sorted(i for i, _ in oracle.accepted) == sorted(once), "none was started again"
    assert oracle.most_in_flight <= LIMIT


async def _instances(plane: Plane, tenant: Tenant) -> list[Instance]:
    return (await plane.admin.list(Instance, tenant.namespace))[0]


async def _limit_seen(plane: Plane, tenant: Tenant, limit: int) -> None:
    """Wait until the operator has taken in the policy that sets this limit."""

    async def look() -> bool:
        found = await plane.admin.get(UpdatePolicy, "default", tenant.namespace)
        return (
            found.spec.max_parallel_rollouts == limit
            and found.status.observed_generation == found.metadata.generation
        )

    await until(look, "the operator to know the limit", 30)


async def _total(tenant: Tenant, total: int) -> None:
    """Assert that the counts add up to this at any time."""
    counts = (await tenant.rollout()).status.counts
    assert counts is not None
    parts = counts.model_dump()
    assert parts.pop("total") == total == sum(parts.values())
