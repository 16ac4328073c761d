"""That a rollout which nobody asks for is made once, whatever dies, is lost, or comes twice."""

from __future__ import annotations

import asyncio

import pytest

from hydracore_crds import Rollout
from hydracore_crds.names import TENANT_LABEL
from hydracore_kube import Unavailable
from hydracore_operator.auto import AutoReconciler
from hydracore_operator.context import NotLeader
from hydracore_operator.controller.reconciler import RetryLater
from tests.operator.rollouts.builders import DIGEST, NS, bundle
from tests.operator.rollouts.fakes import FakeClock
from tests.operator.rollouts.world import Operator, World


class Auto:
    """A tenant with the policy auto, and operators that look after it one after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.kube.edit(world.policy, runtime="auto")
        self.restart()

    def restart(self) -> None:
        """Begin anew as another operator process would: nothing remembered."""
        self.operator: Operator = self.world.operator(run=False)
        self.reconciler = AutoReconciler(self.operator.ctx)

    async def look(self) -> None:
        clock = self.world.clock
        assert isinstance(clock, FakeClock)
        clock.advance(10)
        assert await self.reconciler.reconcile(NS) is None

    def rollouts(self) -> list[Rollout]:
        return self.world.kube.of(Rollout)


def tenant(instances: int = 2) -> World:
    return World(instances=instances, clock=FakeClock())


async def test_it_is_made_once_and_its_removal_does_not_bring_it_back() -> None:
    async with tenant() as world:
        auto = Auto(world)
        for _ in range(3):
            await auto.look()
        (one,) = auto.rollouts()
        assert (one.spec.bundle_name, one.spec.initiated_by) == (world.bundle.key, "auto")
        world.kube.remove(one)
        await auto.look()
        auto.restart()
        await auto.look()
        assert auto.rollouts() == []


async def test_a_newer_bundle_makes_another() -> None:
    async with tenant() as world:
        auto = Auto(world)
        await auto.look()
        world.kube.put(bundle("1.2.0", "b2" * 32))
        await auto.look()
        made = {one.spec.bundle_name for one in auto.rollouts()}
        assert made == {"runtime-expressclaw-1.1.0", "runtime-expressclaw-1.2.0"}


async def test_a_policy_that_is_made_anew_brings_nothing_back() -> None:
    async with tenant() as world:
        auto = Auto(world)
        await auto.look()
        (one,) = auto.rollouts()
        world.kube.remove(one)
        found = world.kube.current(world.policy)
        again = found.metadata.model_copy(update={"uid": "another"})
        world.kube.put(found.model_copy(update={"metadata": again}))
        auto.restart()
        await auto.look()
        assert auto.rollouts() == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_operator_that_dies_at_the_creation(when: str) -> None:
    async with tenant() as world:
        auto = Auto(world)

        async def die(verb: str, _name: str) -> None:
            if verb == "create rollouts":
                raise Unavailable("the operator is gone")

        setattr(world.kube, when, die)
        with pytest.raises(Unavailable):
            await auto.look()
        assert len(auto.rollouts()) == (1 if when == "after" else 0)
        setattr(world.kube, when, None)
        auto.restart()
        await auto.look()
        (one,) = auto.rollouts()
        await auto.look()
        world.kube.remove(one)
        auto.restart()
        await auto.look()
        assert auto.rollouts() == []


async def test_two_that_believe_to_lead_make_one() -> None:
    async with tenant() as world:
        auto = Auto(world)
        first = auto.reconciler
        auto.restart()
        world.kube.deaf = True  # neither hears of what the other has made
        await asyncio.gather(first.reconcile(NS), auto.look())
        assert len(auto.rollouts()) == 1


async def test_while_history_is_away_none_is_made() -> None:
    async with tenant() as world:
        auto = Auto(world)
        world.history.away = True
        with pytest.raises(RetryLater):
            await auto.look()
        assert auto.rollouts() == []
        world.history.away = False
        await auto.look()
        assert len(auto.rollouts()) == 1


async def test_history_that_leaves_after_the_creation_learns_of_it_later() -> None:
    async with tenant() as world:
        auto = Auto(world)

        async def leave(verb: str, _name: str) -> None:
            world.history.away = verb == "create rollouts"

        world.kube.after = leave
        with pytest.raises(RetryLater):
            await auto.look()
        world.history.away = False
        await auto.look()
        (one,) = auto.rollouts()
        known = await world.history.get(
            kind="AutoRollout", namespace=NS, name=world.bundle.key, spec_hash=DIGEST
        )
        assert known is not None
        assert known.uid == one.metadata.uid


async def test_only_a_leader_makes_any() -> None:
    async with tenant() as world:
        auto = Auto(world)

        def lost() -> int:
            raise NotLeader("the lease is gone")

        object.__setattr__(auto.operator.ctx, "epoch", lost)
        with pytest.raises(NotLeader):
            await auto.look()
        assert auto.rollouts() == []


async def test_a_namespace_that_is_no_tenant_gets_none() -> None:
    async with tenant() as world:
        auto = Auto(world)
        world.namespace.metadata.labels.pop(TENANT_LABEL)
        world.kube.put(world.namespace)
        await auto.look()
        assert await auto.reconciler.reconcile("nowhere") is None
        assert auto.rollouts() == []


async def test_a_tenant_is_not_looked_at_all_the_time() -> None:
    async with tenant() as world:
        auto = Auto(world)
        await auto.look()
        world.kube.put(bundle("1.2.0", "b2" * 32))
        again = await auto.reconciler.reconcile(NS)
        assert again is not None
        assert 0 < again.total_seconds() <= 5
        assert len(auto.rollouts()) == 1
