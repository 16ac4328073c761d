"""The engine waits at the agents for orders to end: what ends, breaks and forbids a wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hydracore_operator.rollouts.pace import MOST_CUTS
from tests.operator.rollouts.world import FAST, World, eventually, reason, release_all

PATIENT = replace(FAST, long_poll=60.0)
"""Longer than any test waits: what is noticed was not noticed by a wait's end."""


async def _waiting(world: World, count: int = 1) -> None:
    """Return once so many agents keep a question waiting."""
    for agent in world.all_agents():
        agent.hold = True
    await world.until(
        lambda: sum(agent.waiting for agent in world.all_agents()) == count, f"{count} to wait"
    )


async def test_an_end_is_noticed_without_a_further_question() -> None:
    async with World(instances=2) as world:
        rollout = world.roll()
        world.operator(timing=PATIENT)
        await _waiting(world, 2)
        asked = len(world.agents.calls)
        await release_all(world, rollout)
        assert len(world.agents.calls) == asked == 4


async def test_an_order_that_takes_long_is_waited_for_again() -> None:
    async with World(instances=1) as world:
        world.agent(0).hold = True
        rollout = world.roll()
        world.operator(timing=replace(FAST, long_poll=0.05))
        await world.until(lambda: world.agents.count("await_end") > 3, "several questions")
        await release_all(world, rollout)
        assert world.agents.count("status") == 0


async def test_a_restart_at_the_switch_is_survived() -> None:
    """The connection of whoever waits is cut; then nobody answers, then the release on trial."""
    async with World(instances=2) as world:
        for agent in world.all_agents():
            agent.restart_seconds = 0.06
        rollout = world.roll()
        world.operator(timing=PATIENT)
        await world.finished(rollout, "succeeded")
        assert world.agents.count("send_order") == len(world.oracle.activated) == 2
        assert world.agents.count("status") >= 2, "whoever was cut asks for an answer at once"


async def test_an_older_agent_is_asked_again_and_again_with_pauses() -> None:
    async with World(instances=1) as world:
        world.agent(0).waits = False
        world.agent(0).hold = True
        rollout = world.roll()
        world.operator(timing=PATIENT)
        await world.until(lambda: world.agents.count("await_end") >= 5, "five questions")
        asked, began = len(world.agents.calls), asyncio.get_running_loop().time()
        await world.until(lambda: len(world.agents.calls) >= asked + 5, "five more")
        assert asyncio.get_running_loop().time() - began >= 4 * FAST.poll_max
        await release_all(world, rollout)


async def test_where_waits_are_cut_at_once_the_agent_is_asked_without() -> None:
    async with World(instances=1) as world:
        agent = world.agent(0)
        agent.hold = agent.faults.cuts_waits = True
        rollout = world.roll()
        world.operator(timing=PATIENT)
        await world.until(lambda: world.agents.count("status") > MOST_CUTS + 5, "questions")
        assert world.agents.count("await_end") == MOST_CUTS
        assert reason(world, 0) == "Running", "the agent answers, so there is nothing to tell"
        await release_all(world, rollout)


async def test_a_forced_cancel_does_not_wait_for_the_waits_end() -> None:
    async with World(instances=2, limit=2) as world:
        rollout = world.roll()
        world.operator(timing=PATIENT)
        await _waiting(world, 2)
        world.kube.annotate(rollout, **{"hydracore.io/cancel": "Force"})
        await world.finished(rollout, "cancelled")
        assert [t.status.last_result_status for t in world.targets()] == ["aborted"] * 2
        assert [agent.waiting for agent in world.all_agents()] == [0, 0]


async def test_an_operator_that_ends_waits_for_nobody() -> None:
    async with World(instances=2, limit=2) as world:
        rollout = world.roll()
        first = world.operator(timing=PATIENT)
        await _waiting(world, 2)
        await asyncio.wait_for(first.kill(), 5)
        assert [agent.waiting for agent in world.all_agents()] == [0, 0]
        world.operator(epoch=2, timing=PATIENT)
        await _waiting(world, 2)
        await release_all(world, rollout)
        assert len(world.oracle.accepted) == len(world.oracle.activated) == 2


async def test_a_deleted_instance_is_not_waited_for_any_more() -> None:
    async with World(instances=2, limit=1) as world:
        world.roll()
        world.operator(timing=PATIENT)
        await _waiting(world)
        busy = next(n for n in range(2) if world.agent(n).active)
        world.kube.remove(world.instances[busy])
        await eventually(lambda: not world.agent(busy).waiting, lambda: "the wait to end")


async def test_an_uncertain_target_is_asked_now_and_then_and_not_waited_for() -> None:
    async with World(instances=1) as world:
        agent = world.agent(0)
        agent.hold = True
        rollout = world.roll(strategy={"target_timeout_seconds": 1})
        world.operator(timing=replace(FAST, long_poll=0.2))
        await world.until(lambda: world.states() == ["uncertain"])
        await world.until(lambda: not agent.waiting, "the last wait to end")
        waited, asked = world.agents.count("await_end"), world.agents.count("status")
        await world.until(lambda: world.agents.count("status") > asked + 3, "questions")
        assert world.agents.count("await_end") == waited
        agent.faults.outcome = "rejected"
        agent.release()
        await world.finished(rollout, "failed")
