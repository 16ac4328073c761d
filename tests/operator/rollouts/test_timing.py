"""Automatic retries, stagger, ramp and progress deadline, driven by the whole engine."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hydracore_crds.rollout import Rollout
from tests.operator.rollouts.fakes import FakeClock
from tests.operator.rollouts.world import Operator, World, condition, reason, settle_down

AGAIN = {"retryLimit": 1, "retryBackoffSeconds": 1}
RAISED = "patch rollouttargets"


async def test_a_failed_push_is_tried_again_by_the_operator() -> None:
    async with World(instances=2) as world:
        world.agent(0).faults.outcome = "rolled_back"
        rollout = world.roll(strategy=AGAIN)
        world.operator()
        await world.until(lambda: condition(world, rollout, "Progressing") == "WaitingForRetry")
        first = world.target_of(0).status
        assert first.state == "failed"
        world.agent(0).faults.outcome = "activated"
        await world.finished(rollout, "succeeded")
        again = world.target_of(0)
        assert (again.spec.attempt, again.status.attempt) == (2, 2)
        assert again.status.task_id != first.task_id
        assert first.completed_at is not None
        assert again.status.started_at is not None
        assert again.status.started_at - first.completed_at >= timedelta(seconds=0.8)
        assert world.kube.writes[RAISED] == 1


async def test_after_the_last_retry_the_rollout_ends() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.outcome = "rolled_back"
        rollout = world.roll(strategy=AGAIN)
        world.operator()
        await world.finished(rollout, "failed")
        assert len(world.oracle.accepted) == 2
        assert world.kube.writes[RAISED] == 1


async def test_what_the_agent_rejected_is_not_tried_again() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.outcome = "rejected"
        rollout = world.roll(strategy=AGAIN)
        world.operator()
        await world.finished(rollout, "failed")
        assert len(world.oracle.accepted) == 1
        assert world.kube.writes[RAISED] == 0


async def test_a_person_who_retries_at_the_same_moment_is_not_added_to() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.outcome = "rolled_back"

        async def person(write: str, _name: str) -> None:
            if write == RAISED and world.target_of(0).spec.attempt == 1:
                world.agent(0).faults.outcome = "activated"
                world.kube.edit(world.target_of(0), attempt=2)

        world.kube.before = person
        rollout = world.roll(strategy={**AGAIN, "retryLimit": 3})
        world.operator()
        await world.finished(rollout, "succeeded")
        assert world.target_of(0).status.attempt == 2
        assert len(world.oracle.accepted) == 2


async def test_starts_are_so_far_apart_as_their_countdowns_say() -> None:
    async with World(instances=3, limit=3) as world:
        rollout = world.roll(strategy={"staggerSeconds": 1})
        world.operator()
        await world.finished(rollout, "succeeded")
        assert [t.spec.scheduled_countdown_seconds for t in world.targets()] == [0, 1, 2]
        starts = [t.status.started_at for t in world.targets()]
        gaps = [later - sooner for sooner, later in pairwise(t for t in starts if t is not None)]
        assert len(gaps) == 2
        for gap in gaps:
            assert timedelta(seconds=1) <= gap < timedelta(seconds=1.5)


async def test_the_rate_of_starts_grows_with_what_succeeds_also_under_another_operator() -> None:
    ramp = {"startsPerMinute": 60, "successesPerStep": 2, "maxStartsPerMinute": 120}
    async with World(instances=6, limit=6) as world:
        rollout = world.roll(strategy={"ramp": ramp})
        first = world.operator()
        await world.until(lambda: len(world.oracle.activated) == 3, "half of them")
        await first.kill()
        world.operator(epoch=2)
        await world.finished(rollout, "succeeded")
        starts = [t.status.started_at for t in world.targets()]
        gaps = [later - sooner for sooner, later in pairwise(t for t in starts if t is not None)]
        second, half = timedelta(seconds=1), timedelta(seconds=0.5)
        assert [gap >= second for gap in gaps[:2]] == [True, False], gaps
        assert all(gap >= half for gap in gaps), gaps


async def slow(world: World) -> Rollout:
    """Start a rollout whose pushes do not come to an end."""
    for agent in world.all_agents():
        agent.hold = True
    strategy = {"progressDeadlineSeconds": 300, "maxParallel": 1}
    return world.roll(strategy=strategy)


async def in_flight(world: World, operator: Operator) -> None:
    await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
    await settle_down(operator)


async def test_without_a_success_for_so_long_it_halts_and_says_why() -> None:
    clock = FakeClock()
    async with World(instances=2, clock=clock) as world:
        rollout = await slow(world)
        operator = world.operator()
        await in_flight(world, operator)
        clock.advance(299)
        await settle_down(operator)
        assert world.state(rollout) == "in_progress"
        clock.advance(1)
        await settle_down(operator)
        assert world.state(rollout) == "paused"
        assert condition(world, rollout, "Progressing") == "ProgressDeadlineExceeded"
        text = world.kube.current(rollout).status.halt_reason or ""
        assert "no target succeeded in 300 seconds" in text
        assert "1 target in flight (i00)" in text
        assert reason(world, 1) is None, "the other one was left alone"


async def test_the_next_operator_knows_how_long_it_was_and_asks_before_it_halts() -> None:
    clock = FakeClock()
    async with World(instances=2, clock=clock) as world:
        rollout = await slow(world)
        first = world.operator()
        await in_flight(world, first)
        clock.advance(200)
        await first.kill()
        second = world.operator(epoch=2)
        clock.advance(101)
        await settle_down(second)
        assert world.state(rollout) == "in_progress", "it is still finding out what has succeeded"
        clock.advance(60)
        await settle_down(second)
        assert world.state(rollout) == "paused"
