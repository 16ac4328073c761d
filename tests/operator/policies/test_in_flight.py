"""How often ``status.inFlight`` is counted: a rollout must not cost a policy write per target."""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_crds.base import find
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_operator.policies import PolicyReconciler
from hydracore_operator.policies.counts import COUNT_EVERY
from tests.operator.rollouts.fakes import FakeClock
from tests.operator.rollouts.world import Operator, World

KEY = "acme/default"


async def started(world: World, operator: Operator) -> None:
    """Make the rollout's targets, without starting them."""
    world.roll(paused=True)
    for _ in range(3):
        await operator.engine.reconcile("acme")


def begin(world: World, index: int) -> None:
    found = world.target_of(index)
    world.kube.put(found.model_copy(update={"status": RolloutTargetStatus(state="in_progress")}))


def counted(world: World) -> int | None:
    return world.kube.current(world.policy).status.in_flight


async def test_it_is_counted_at_most_every_few_seconds_and_then_once_more() -> None:
    clock = FakeClock()
    async with World(instances=4, clock=clock) as world:
        operator = world.operator(run=False)
        await started(world, operator)
        policies = PolicyReconciler(operator.ctx)
        assert await policies.reconcile(KEY) is None
        written = world.kube.writes["status updatepolicies"]
        again: datetime | timedelta | None = None
        for index in range(3):
            begin(world, index)
            again = await policies.reconcile(KEY)
        assert again == clock.now() + COUNT_EVERY
        assert world.kube.writes["status updatepolicies"] == written
        assert counted(world) == 0
        clock.advance(COUNT_EVERY.total_seconds())
        assert await policies.reconcile(KEY) is None
        assert counted(world) == 3
        assert world.kube.writes["status updatepolicies"] == written + 1


async def test_what_is_not_counted_is_written_at_once() -> None:
    clock = FakeClock()
    async with World(instances=1, clock=clock) as world:
        operator = world.operator(run=False)
        policies = PolicyReconciler(operator.ctx)
        await policies.reconcile(KEY)
        world.kube.edit(world.policy, max_parallel_rollouts=7)
        await policies.reconcile(KEY)
        found = world.kube.current(world.policy)
        assert found.status.observed_generation == found.metadata.generation


async def test_a_tenant_that_ends_is_told_while_a_count_is_put_off() -> None:
    clock = FakeClock()
    async with World(instances=1, clock=clock) as world:
        operator = world.operator(run=False)
        policies = PolicyReconciler(operator.ctx)
        await policies.reconcile(KEY)
        await policies.reconcile(KEY)
        found = operator.ctx.stores.namespaces.get("acme")
        assert found is not None
        metadata = found.metadata.model_copy(update={"labels": {}, "resource_version": "99999"})
        operator.ctx.stores.namespaces.upsert(found.model_copy(update={"metadata": metadata}))
        await policies.reconcile(KEY)
        accepted = find(world.kube.current(world.policy).status.conditions, "Accepted")
        assert accepted is not None
        assert accepted.reason == "NotATenant"
