"""The engine as a whole, in memory: what rollouts and targets tell of their lives."""

from __future__ import annotations

from hydracore_crds import Rollout, RolloutTarget
from hydracore_kube import Unavailable
from tests.operator.rollouts.world import World

KEY = "api-key laptop (k-1)"
BY = "hydracore.io/"


def story(world: World, obj: Rollout | RolloutTarget) -> list[str]:
    trail = world.kube.current(obj).status.transitions
    assert [one.seq for one in trail] == list(range(1, len(trail) + 1))
    assert [one.at for one in trail] == sorted(one.at for one in trail)
    return [f"{one.event} by {one.actor}" for one in trail]


async def test_a_rollout_tells_who_paused_resumed_and_cancelled_it() -> None:
    async with World(instances=3, limit=1) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        world.operator()
        await world.until(lambda: world.state(rollout) == "in_progress", "the first start")
        world.kube.annotate(rollout, **{f"{BY}paused-by": KEY})
        await world.until(lambda: world.state(rollout) == "paused", "the pause")
        world.kube.annotate(
            rollout, **{f"{BY}paused-by": "", f"{BY}resumed-by": "kubernetes-user ada"}
        )
        await world.until(lambda: world.state(rollout) == "in_progress", "the resume")
        world.kube.annotate(rollout, **{f"{BY}cancel": "Graceful", f"{BY}cancelled-by": KEY})
        await world.until(lambda: world.states().count("cancelled") == 2, "the cancel")
        for agent in world.all_agents():
            agent.release()
        await world.finished(rollout, "cancelled")
        assert story(world, rollout) == [
            "created by unknown",
            "started by operator",
            f"paused by {KEY}",
            "resumed by kubernetes-user ada",
            f"cancelling by {KEY}",
            f"cancelled by {KEY}",
        ]
        told = sorted(story(world, target) for target in world.targets())
        assert told == [
            [f"cancelled by {KEY}"],
            [f"cancelled by {KEY}"],
            ["started by operator", "succeeded by operator"],
        ]


async def test_a_halt_and_a_retry_are_told_with_their_attempts() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.outcome = "rolled_back"
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "failed")
        world.agent(0).faults.outcome = "activated"
        target = world.kube.annotate(world.target_of(0), **{f"{BY}retried-by": KEY})
        world.kube.edit(target, attempt=2)
        await world.until(lambda: world.target_of(0).status.state == "succeeded", "the retry")
        await world.finished(rollout, "succeeded")
        trail = world.target_of(0).status.transitions
        assert [(one.event, one.attempt, one.actor) for one in trail] == [
            ("started", 1, "operator"),
            ("failed", 1, "operator"),
            ("retried", 2, KEY),
            ("started", 2, "operator"),
            ("succeeded", 2, "operator"),
        ]
        assert trail[1].reason == "RolledBack"
        assert f"reopened by {KEY}" in story(world, rollout)


async def test_a_write_whose_answer_is_lost_is_told_once() -> None:
    async with World(instances=1) as world:
        lost: list[str] = []

        async def lose(verb: str, name: str) -> None:
            if verb == "status rollouttargets" and name not in lost:
                lost.append(name)
                raise Unavailable("the answer was lost")

        world.kube.after = lose
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        assert lost
        assert story(world, world.target_of(0)) == ["started by operator", "succeeded by operator"]
