"""The engine as a whole, in memory: rollouts and what agents do to them."""

from __future__ import annotations

import pytest

from hydracore_agentclient import AgentStatus, InvalidAnswer
from hydracore_crds.names import FINALIZER
from tests.operator.rollouts.world import World, reason


async def test_rolls_out_within_the_limit_and_succeeds() -> None:
    async with World(instances=8, limit=3) as world:
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        assert world.states() == ["succeeded"] * 8
        assert world.oracle.most_in_flight <= 3
        assert sorted(i for i, _ in world.oracle.activated) == sorted(world.agents.agents)
        final = world.kube.current(rollout)
        assert FINALIZER in final.metadata.finalizers
        assert final.status.counts is not None
        assert (final.status.counts.total, final.status.counts.succeeded) == (8, 8)
        await world.until(lambda: not world.entries(), "the ledger to be empty")


async def test_converged_means_no_more_writes() -> None:
    async with World(instances=3) as world:
        rollout = world.roll()
        operator = world.operator()
        await world.finished(rollout, "succeeded")
        await world.until(lambda: not world.entries(), "the ledger to be empty")
        before = world.kube.writes.copy()
        for _ in range(5):
            await operator.engine.reconcile("acme")
        assert world.kube.writes == before


async def test_the_question_that_finds_the_end_also_finds_the_proof() -> None:
    async with World(instances=4) as world:
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        assert world.agents.count("send_order") == 4
        assert world.agents.count("task") == 0
        assert world.agents.count("await_end") == 4
        assert len(world.agents.calls) == 8, "one that sends, one that finds out"


async def test_a_lost_reply_is_settled_by_asking() -> None:
    async with World(instances=2) as world:
        for agent in world.all_agents():
            agent.faults.lose_replies = 1
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        assert world.agents.count("send_order") == 2
        assert len(world.oracle.accepted) == len(world.oracle.activated) == 2


async def test_a_wrong_identity_is_never_a_success() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.wrong_identity = True
        rollout = world.roll(strategy={"target_timeout_seconds": 1})
        world.operator()
        await world.until(lambda: "in_progress" in world.states())
        await world.until(lambda: reason(world, 0) == "Resolving", "reason Resolving")
        await world.until(lambda: world.states() == ["uncertain"])
        assert world.target_of(0).status.last_result_status in {"unreachable", "timeout"}
        await world.until(lambda: not world.entries(), "the slot to be free")
        await world.finished(rollout, "failed")
        assert world.oracle.activated == []


async def test_evidence_settles_an_uncertain_target() -> None:
    async with World(instances=1) as world:
        rollout = world.roll(strategy={"target_timeout_seconds": 1})
        agent = world.agent(0)
        agent.hold = True
        operator = world.operator()
        await world.until(lambda: bool(world.oracle.in_flight), "an order")
        agent.faults.silent = True
        agent.release()
        await world.until(lambda: world.states() == ["uncertain"])
        await world.until(lambda: not world.entries(), "the slot to be free")
        agent.faults.silent = False
        await world.finished(rollout, "succeeded")
        assert world.states() == ["succeeded"]
        assert len(world.oracle.activated) == 1
        assert operator.engine.in_flight("acme") == 0


async def test_trouble_is_written_once_not_per_poll() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.garbage = True
        world.roll()
        world.operator()
        await world.until(lambda: reason(world, 0) == "Resolving", "reason Resolving")
        written = world.kube.writes["status rollouttargets"]
        asked = len(world.agents.calls)
        await world.until(lambda: len(world.agents.calls) > asked + 5, "more questions")
        assert world.kube.writes["status rollouttargets"] == written
        world.agent(0).faults.garbage = False
        await world.until(lambda: world.states() == ["succeeded"])


@pytest.mark.parametrize("outcome", ["rolled_back", "rejected"])
async def test_a_failed_push_halts_and_the_rest_stays(outcome: str) -> None:
    async with World(instances=5, limit=1) as world:
        for agent in world.all_agents():
            agent.faults.outcome = outcome  # type: ignore[assignment]
            agent.faults.message = "ImportError: no module named 'x'"
        rollout = world.roll()
        operator = world.operator()
        await world.until(lambda: "failed" in world.states())
        await world.until(lambda: world.state(rollout) == "paused", "a halt")
        await operator.engine.reconcile("acme")
        assert world.states().count("failed") == 1
        assert len(world.oracle.accepted) == 1
        failed = next(t for t in world.targets() if t.status.state == "failed")
        assert failed.status.last_result_status == outcome
        assert failed.status.error_message == "ImportError: no module named 'x'"
        assert world.kube.current(rollout).status.halt_reason


async def test_an_agent_without_a_status_can_still_say_how_the_order_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with World(instances=1) as world:

        async def broken(*_: object) -> AgentStatus:
            raise InvalidAnswer("no status")

        monkeypatch.setattr(world.agents, "status", broken)
        monkeypatch.setattr(world.agents, "await_end", broken)
        world.agent(0).faults.outcome = "rejected"
        world.roll()
        world.operator()
        await world.until(lambda: world.states() == ["failed"], "the agent's own account")
        assert world.target_of(0).status.last_result_status == "rejected"


async def test_an_activation_without_health_is_no_success() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.unhealthy = True
        world.roll()
        world.operator()
        await world.until(lambda: bool(world.oracle.activated), "an activation")
        await world.until(lambda: reason(world, 0) == "Unproven", "reason Unproven")
        assert world.states() == ["in_progress"]
        world.agent(0).faults.unhealthy = False
        await world.until(lambda: world.states() == ["succeeded"])


async def test_another_digest_is_no_success() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.wrong_digest = True
        world.roll(strategy={"target_timeout_seconds": 1})
        world.operator()
        await world.until(lambda: world.states() == ["uncertain"])
        assert len(world.oracle.activated) == 1, "by its own account the agent was done"
