"""The PlatformPolicy's status, and what the tenants' policies say of it."""

from __future__ import annotations

from datetime import timedelta

from hydracore_crds import PlatformPolicy
from hydracore_crds.base import find
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_operator.platform import PlatformReconciler
from hydracore_operator.policies import PolicyReconciler
from hydracore_operator.policies.counts import COUNT_EVERY
from tests.core.rollouts.builders import platform
from tests.operator.rollouts.fakes import FakeClock
from tests.operator.rollouts.world import World

WHY = "the platform is frozen until 2026-03-02 13:00Z: a holiday"


def told(world: World, obj: object) -> tuple[str, str, str] | None:
    found = find(world.kube.current(obj).status.conditions, "Frozen")  # type: ignore[type-var]
    return None if found is None else (found.status, found.reason, found.message)


async def test_a_freeze_is_told_to_the_platform_and_to_every_tenant() -> None:
    clock = FakeClock()
    async with World(instances=1, clock=clock) as world:
        operator = world.operator(run=False)
        policies = PolicyReconciler(operator.ctx)
        await policies.reconcile("acme/default")
        assert told(world, world.policy) is None

        ends = clock.now() + timedelta(hours=1)
        stored = world.kube.put(platform("a holiday", ends))
        assert await PlatformReconciler(operator.ctx).reconcile("default") == ends
        clock.advance(COUNT_EVERY.total_seconds())
        assert await policies.reconcile("acme/default") == ends
        frozen = ("True", "PlatformFrozen", WHY)
        assert (told(world, stored), told(world, world.policy)) == (frozen, frozen)

        clock.advance(3600)
        assert await PlatformReconciler(operator.ctx).reconcile("default") is None
        assert await policies.reconcile("acme/default") is None
        free = ("False", "NotFrozen", "the platform lets updates start")
        assert (told(world, stored), told(world, world.policy)) == (free, free)


async def counted(world: World, reconciler: PlatformReconciler) -> int | None:
    await reconciler.reconcile("default")
    return world.kube.of(PlatformPolicy)[0].status.in_flight


async def test_what_is_in_flight_is_counted_now_and_then_only() -> None:
    clock = FakeClock()
    async with World(instances=3, clock=clock) as world:
        operator = world.operator(run=False)
        world.roll(paused=True)
        for _ in range(3):
            await operator.engine.reconcile("acme")
        world.kube.put(platform())
        reconciler = PlatformReconciler(operator.ctx)
        assert await counted(world, reconciler) == 0
        for target in world.targets():
            status = RolloutTargetStatus(state="in_progress")
            world.kube.put(target.model_copy(update={"status": status}))
        assert await reconciler.reconcile("default") == clock.now() + COUNT_EVERY
        assert world.kube.of(PlatformPolicy)[0].status.in_flight == 0
        clock.advance(COUNT_EVERY.total_seconds())
        assert await counted(world, reconciler) == 3
        written = world.kube.writes["status platformpolicies"]
        clock.advance(COUNT_EVERY.total_seconds())
        assert await counted(world, reconciler) == 3
        assert world.kube.writes["status platformpolicies"] == written
