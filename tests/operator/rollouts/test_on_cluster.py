"""The engine on a real API server with agents over HTTP; what counts is what the agents counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hydracore_crds import Instance, Rollout, RolloutTarget
from hydracore_crds.base import find
from hydracore_kube import Conflict, KubeClient, Namespace, NotFound
from hydracore_operator.rollouts.ledger import ledger_name
from tests.operator.rollouts.stand import Stand
from tests.operator.rollouts.world import eventually

pytestmark = pytest.mark.cluster

GONE_SECONDS = 90.0
"""How long a namespace may take to go on a busy machine; usual are five."""


@pytest_asyncio.fixture
async def stand(
    namespace: str, admin_kubeconfig: str, operator_kubeconfig: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    async with Stand(namespace, admin_kubeconfig, operator_kubeconfig, tmp_path) as made:
        yield made


async def test_a_fleet_of_twenty_at_limit_three(stand: Stand) -> None:
    await stand.prepare(instances=20, limit=3)
    operator = await stand.operator()
    rollout = await stand.finished(await stand.roll(), "succeeded")
    assert await stand.states() == {"succeeded": 20}
    assert stand.fleet.oracle.most_in_flight <= 3
    stand.once_each()
    assert rollout.status.counts is not None
    assert rollout.status.counts.succeeded == rollout.status.counts.total == 20
    await stand.slots_empty()
    writes = operator.ctx.kube.writes  # type: ignore[attr-defined]
    assert writes["POST rollouttargets"] == 20
    assert writes["PATCH rollouttargets"] == 40
    before = dict(writes)
    for _ in range(3):
        await operator.engine.reconcile(stand.namespace)
    assert dict(writes) == before


async def test_writes_per_target_at_a_high_limit(stand: Stand) -> None:
    await stand.prepare(instances=100, limit=50, push_seconds=0.3)
    operator = await stand.operator()
    await stand.finished(await stand.roll(), "succeeded")
    await stand.slots_empty()
    writes = operator.ctx.kube.writes  # type: ignore[attr-defined]
    per_target = sum(writes.values()) / 100
    print(f"writes per target: {per_target:.2f} {dict(writes)}")  # noqa: T201
    assert stand.fleet.oracle.most_in_flight <= 50
    assert per_target <= 3.5


async def test_instances_that_a_watch_lost_are_in_the_rollout_too(stand: Stand) -> None:
    await stand.prepare(instances=5, limit=5)
    operator = await stand.operator(run=False)
    known = operator.stores.instances
    for lost in known.in_namespace(stand.namespace)[:3]:
        del known._objects[lost.key]
    operator.run()
    await stand.finished(await stand.roll(), "succeeded")
    assert await stand.states() == {"succeeded": 5}
    stand.once_each()


async def test_two_operators_fight_over_the_ledger(stand: Stand) -> None:
    await stand.prepare(instances=20, limit=3)
    await stand.operator(epoch=1)
    await stand.operator(epoch=2)
    await stand.finished(await stand.roll(), "succeeded")
    assert stand.fleet.oracle.most_in_flight <= 3
    stand.once_each()
    await stand.slots_empty()


async def test_a_killed_operator_is_followed_by_another(stand: Stand) -> None:
    await stand.prepare(instances=9, limit=3)
    for agent in stand.agents:
        agent.hold = True
    rollout = await stand.roll()
    first = await stand.operator(epoch=1)
    await stand.in_flight(3)
    await first.kill()
    for agent in stand.agents[:5]:
        agent.hold = False
        agent.release()
    await stand.operator(epoch=2)
    for agent in stand.agents:
        agent.hold = False
        agent.release()
    await stand.finished(rollout, "succeeded")
    stand.once_each()
    assert stand.fleet.oracle.most_in_flight <= 3


async def test_accepted_but_the_reply_was_lost(stand: Stand) -> None:
    await stand.prepare(instances=4, limit=2)
    for agent in stand.agents:
        agent.faults.lose_replies = 1
    await stand.operator()
    await stand.finished(await stand.roll(), "succeeded")
    stand.once_each()
    assert len(stand.fleet.oracle.accepted) == 4


async def test_a_hostile_agent_is_never_a_success(stand: Stand) -> None:
    await stand.prepare(instances=2, limit=2)
    stand.agents[0].faults.wrong_identity = True
    stand.agents[1].faults.garbage = True
    await stand.operator()
    rollout = await stand.roll(
        strategy={"target_timeout_seconds": 2, "failure_threshold": {"count": 5}}
    )
    rollout = await stand.finished(rollout, "failed")
    targets = await stand.targets()
    assert [target.status.state for target in targets] == ["uncertain"] * 2
    assert {target.status.last_result_status for target in targets} == {"unreachable"}
    await stand.slots_empty()


async def test_force_cancel(stand: Stand) -> None:
    await stand.prepare(instances=5, limit=2)
    for agent in stand.agents:
        agent.hold = True
    await stand.operator()
    rollout = await stand.roll()
    await stand.in_flight(2)
    await stand.edit(rollout, {"cancel": "Force"})
    await stand.finished(rollout, "cancelled")
    targets = await stand.targets()
    assert {target.status.state for target in targets} == {"cancelled"}
    assert sum(t.status.last_result_status == "aborted" for t in targets) == 2
    assert stand.fleet.oracle.activated == []


async def test_pause_and_resume(stand: Stand) -> None:
    await stand.prepare(instances=4, limit=1)
    for agent in stand.agents:
        agent.hold = True
    await stand.operator()
    rollout = await stand.roll()
    await stand.in_flight(1)
    await stand.edit(rollout, {"paused": True})
    await stand.until(lambda r: r.status.state == "paused", rollout, "a pause")
    for agent in stand.agents:
        agent.hold = False
        agent.release()
    await stand.until(lambda r: r.status.counts.succeeded == 1, rollout, "the one in flight")
    assert len(stand.fleet.oracle.accepted) == 1
    await stand.edit(rollout, {"paused": False})
    await stand.finished(rollout, "succeeded")
    stand.once_each()


async def test_a_retry_by_kubectl(stand: Stand) -> None:
    await stand.prepare(instances=1, limit=1)
    stand.agents[0].faults.outcome = "rolled_back"
    stand.agents[0].faults.message = "SyntaxError: invalid syntax"
    await stand.operator()
    rollout = await stand.roll(strategy={"on_failure": "continue"})
    await stand.finished(rollout, "failed")
    (target,) = await stand.targets()
    assert target.status.error_message == "SyntaxError: invalid syntax"
    stand.agents[0].faults.outcome = "activated"
    await stand.edit(target, {"attempt": 2})
    await stand.finished(rollout, "succeeded")
    (again,) = await stand.targets()
    assert (again.status.attempt, again.status.error_message) == (2, None)
    assert again.status.task_id != target.status.task_id


async def test_the_operator_itself_tries_a_failed_target_again(stand: Stand) -> None:
    await stand.prepare(instances=2, limit=2)
    stand.agents[0].faults.outcome = "rolled_back"
    await stand.operator()
    rollout = await stand.roll(strategy={"retry_limit": 5, "retry_backoff_seconds": 1})
    await stand.until(lambda r: "to be tried again" in (r.status.message or ""), rollout, "a wait")
    stand.agents[0].faults.outcome = "activated"
    await stand.finished(rollout, "succeeded")
    once, again = sorted(target.spec.attempt for target in await stand.targets())
    assert (once, again > 1) == (1, True)


async def test_a_deleted_rollout_is_archived(stand: Stand) -> None:
    await stand.prepare(instances=3, limit=1)
    for agent in stand.agents:
        agent.hold = True
    await stand.operator()
    rollout = await stand.roll()
    await stand.in_flight(1)
    await stand.admin.delete(Rollout, rollout.metadata.name, stand.namespace)
    for agent in stand.agents:
        agent.release()
    await _gone(stand, rollout)
    archived = await stand.history.rollouts.get(rollout.metadata.uid)
    assert archived is not None
    assert archived.rollout["status"]["state"] == "cancelled"
    states = sorted(target.wire["status"]["state"] for target in archived.targets)
    assert states == ["cancelled", "cancelled", "succeeded"]


async def test_a_deleted_instance_frees_its_slot(stand: Stand) -> None:
    await stand.prepare(instances=2, limit=1)
    for agent in stand.agents:
        agent.hold = True
    await stand.operator()
    rollout = await stand.roll()
    await stand.in_flight(1)
    busy = next(agent for agent in stand.agents if agent.active)
    other = next(agent for agent in stand.agents if agent is not busy)
    found, _ = await stand.admin.list(Instance, stand.namespace)
    name = next(i.metadata.name for i in found if i.spec.id == busy.instance_id)
    await stand.admin.delete(Instance, name, stand.namespace)
    await stand.in_flight(2)  # the deleted one's agent has nobody left to stop it here
    other.release()
    await stand.until(
        lambda r: r.status.state in {"succeeded", "failed", "cancelled"}, rollout, "an end"
    )
    targets = {t.spec.instance_id: t for t in await stand.targets()}
    assert targets[busy.instance_id].status.state == "cancelled"
    succeeded = find(targets[busy.instance_id].status.conditions, "Succeeded")
    assert succeeded is not None
    assert succeeded.reason == "InstanceDeleted"
    assert targets[other.instance_id].status.state == "succeeded"


async def test_a_second_writer_loses_no_status(stand: Stand) -> None:
    await stand.prepare(instances=12, limit=3)
    await stand.operator()
    rollout = await stand.roll()
    stop = asyncio.Event()
    scribbling = asyncio.create_task(_scribble(stand.admin, rollout, stop))
    on_targets = asyncio.create_task(_scribble_targets(stand, stop))
    final = await stand.finished(rollout, "succeeded")
    stop.set()
    assert await scribbling > 10
    await on_targets
    assert final.status.counts is not None
    assert final.status.counts.succeeded == final.status.counts.total == 12
    assert final.status.artifact is not None
    stand.once_each()


async def test_the_api_server_restarts(stand: Stand, cluster: Any) -> None:
    await stand.prepare(instances=10, limit=2, push_seconds=0.3)
    await stand.operator()
    rollout = await stand.roll()
    await stand.in_flight(2)
    await cluster.restart_apiserver()
    await stand.finished(rollout, "succeeded", 60)
    assert stand.fleet.oracle.most_in_flight <= 2
    stand.once_each()


async def test_a_deleted_tenant_leaves_no_ledger(stand: Stand) -> None:
    await stand.prepare(instances=2, limit=2)
    operator = await stand.operator()
    await stand.finished(await stand.roll(), "succeeded")
    namespace = await stand.admin.get(Namespace, stand.namespace)
    place = ("v1", "configmaps", "hydracore-system", ledger_name(namespace.metadata.uid))
    await stand.admin.get_raw(place)

    await stand.admin.delete(Namespace, stand.namespace, None)
    known = operator.stores.namespaces
    left = "the namespace is still there"
    await eventually(lambda: known.get(stand.namespace) is None, lambda: left, GONE_SECONDS)
    await operator.engine.reconcile(stand.namespace)
    with pytest.raises(NotFound):
        await stand.admin.get_raw(place)


async def _scribble(admin: KubeClient, rollout: Rollout, stop: asyncio.Event) -> int:
    count = 0
    while not stop.is_set():
        count += 1
        body: dict[str, Any] = {"metadata": {"annotations": {"example.com/n": str(count)}}}
        await admin.patch(Rollout, rollout.metadata.name, rollout.metadata.namespace, body)
        await asyncio.sleep(0.02)
    return count


async def _scribble_targets(stand: Stand, stop: asyncio.Event) -> None:
    count = 0
    while not stop.is_set():
        count += 1
        for target in await stand.targets():
            body: dict[str, Any] = {"metadata": {"labels": {"example.com/n": str(count)}}}
            try:
                await stand.admin.patch(RolloutTarget, target.metadata.name, stand.namespace, body)
            except Conflict:
                continue
        await asyncio.sleep(0.02)


async def _gone(stand: Stand, rollout: Rollout) -> None:
    deadline = asyncio.get_running_loop().time() + 20
    while True:
        try:
            await stand.fresh(rollout)
        except NotFound:
            return
        assert asyncio.get_running_loop().time() < deadline, "the rollout stays"
        await asyncio.sleep(0.05)
