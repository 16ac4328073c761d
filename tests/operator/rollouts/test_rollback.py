"""Taking back, driven by the whole engine: what the agents run in the end."""

from __future__ import annotations

from hydracore_crds import Bundle
from hydracore_crds.names import ROLLBACK_ANNOTATION
from tests.operator.rollouts import builders
from tests.operator.rollouts.builders import DIGEST
from tests.operator.rollouts.world import World, condition


def old_bundle(world: World, digest: str) -> Bundle:
    """The bundle that all agents run at first."""
    return world.kube.put(builders.bundle("1.0.0", digest))


async def test_what_was_updated_before_the_failure_is_taken_back() -> None:
    async with World(instances=4, limit=1) as world:
        before = world.agent(0).digest
        old_bundle(world, before)
        world.agent(2).faults.outcome = "rolled_back"
        rollout = world.roll(strategy={"onFailure": "rollback"})
        world.operator()
        await world.finished(rollout, "failed")
        assert {agent.digest for agent in world.all_agents()} == {before}
        assert condition(world, rollout, "Progressing") == "RolledBackAll"
        status = world.kube.current(rollout).status
        assert status.rollback is not None
        assert status.rollback.counts.succeeded == 2
        assert status.counts is not None
        assert (status.counts.succeeded, status.counts.failed, status.counts.cancelled) == (2, 1, 1)
        backs = [t.spec.instance_name for t in world.targets() if t.spec.rollback_of]
        assert sorted(backs) == ["i00", "i01"]
        assert [agent for agent, _ in world.oracle.accepted][-1] == world.agent(0).instance_id


async def test_a_person_takes_back_a_finished_rollout() -> None:
    async with World(instances=3, limit=3) as world:
        before = world.agent(0).digest
        old_bundle(world, before)
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        assert {agent.digest for agent in world.all_agents()} == {DIGEST}
        world.kube.annotate(rollout, **{ROLLBACK_ANNOTATION: "true"})
        await world.finished(rollout, "cancelled")
        assert {agent.digest for agent in world.all_agents()} == {before}
        await world.until(lambda: not world.entries(), "the slots to be free")


async def test_the_next_operator_goes_on_taking_back() -> None:
    async with World(instances=3, limit=1) as world:
        before = world.agent(0).digest
        old_bundle(world, before)
        rollout = world.roll()
        first = world.operator()
        await world.finished(rollout, "succeeded")
        for agent in world.all_agents():
            agent.hold = True
        world.kube.annotate(rollout, **{ROLLBACK_ANNOTATION: "true"})
        await world.until(lambda: len(world.oracle.in_flight) == 1, "an order to go back")
        await first.kill()
        for agent in world.all_agents():
            agent.hold = False
            agent.release()
        world.operator(epoch=2)
        await world.finished(rollout, "cancelled")
        assert {agent.digest for agent in world.all_agents()} == {before}
        assert len(world.oracle.accepted) == 6, "nobody got an order twice"


async def test_without_the_old_bundle_an_agent_is_left_and_named() -> None:
    async with World(instances=1) as world:
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        world.kube.annotate(rollout, **{ROLLBACK_ANNOTATION: "true"})
        await world.finished(rollout, "cancelled")
        assert condition(world, rollout, "Progressing") == "RollbackIncomplete"
        rollback = world.kube.current(rollout).status.rollback
        assert rollback is not None
        assert rollback.skipped is not None
        assert rollback.skipped.reasons == {"PreviousBundleUnusable": 1}
        assert world.agent(0).digest == DIGEST
