"""What keeps an order from going out, at the last moment."""

from __future__ import annotations

import asyncio

import pytest

from hydracore_crds import Rollout
from hydracore_crds.policy_window import PolicyWindow
from hydracore_crds.update_policy import MaintenanceWindow
from hydracore_kube import Unavailable
from hydracore_operator.context import NotLeader
from hydracore_operator.rollouts.ledger import ledger_name
from tests.operator.rollouts.builders import DIGEST
from tests.operator.rollouts.fakes import FakeClock
from tests.operator.rollouts.world import World, reason

OTHER_TASK = "00000000-0000-4000-8000-0000000000ff"
CLOSED = MaintenanceWindow(start_hour_utc=2, end_hour_utc=3)
DENIED = PolicyWindow(kind="deny", schedule="0 * * * *", duration="1h")


def halt(world: World, rollout: Rollout) -> None:
    """Store that a rollout is halted, as the operator does."""
    found = world.kube.current(rollout)
    said = {"halt_reason": "Halted", "halted_at": world.clock.now()}
    status = found.status.model_copy(update=said)
    world.kube.put(found.model_copy(update={"status": status}))


async def test_a_window_that_closes_before_the_order_holds_it_back() -> None:
    async with World(instances=1, clock=FakeClock()) as world:

        async def close(verb: str, _name: str) -> None:
            if verb == "status rollouttargets":
                world.kube.edit(world.policy, maintenance_window=CLOSED)

        world.kube.after = close
        rollout = world.roll()
        world.operator()
        await world.until(lambda: reason(world, 0) == "Queued", "the target to be put back")
        await world.until(lambda: not world.entries(), "the slot to be free")
        assert world.states() == ["queued"]
        assert world.target_of(0).status.task_id is None
        assert world.oracle.accepted == []
        world.kube.after = None
        world.kube.edit(world.policy, maintenance_window=None)
        await world.finished(rollout, "succeeded")


@pytest.mark.parametrize("gate", ["pause", "halt"])
async def test_a_rollout_that_is_stopped_before_the_order_keeps_it_back(gate: str) -> None:
    """The agent cannot be reached when its target starts; when it is back, nothing may start."""
    async with World(instances=1) as world:
        world.agent(0).faults.silent = True
        rollout = world.roll()
        world.operator()
        await world.until(lambda: reason(world, 0) == "Resolving", "the agent to be missed")
        if gate == "pause":
            world.kube.annotate(rollout, **{"hydracore.io/paused-by": "ada"})
        else:
            halt(world, rollout)
        world.agent(0).faults.silent = False
        await world.until(lambda: world.states() == ["queued"], "the target to be put back")
        await world.until(lambda: not world.entries(), "the slot to be free")
        assert world.oracle.accepted == []


async def test_a_target_that_started_meanwhile_is_not_superseded() -> None:
    """A newer rollout supersedes a queued target while its in_progress is being written."""
    async with World(instances=1) as world:
        agent = world.agent(0)
        agent.hold = True
        tried: list[str] = []
        superseded = asyncio.Event()

        async def race(verb: str, name: str) -> None:
            if verb != "status rollouttargets" or not name.startswith("to-110-"):
                return
            tried.append(name)
            if len(tried) == 1:
                await superseded.wait()
            elif len(tried) == 2:
                superseded.set()
                await world.until(lambda: agent.active is not None, "the order to be taken")

        world.kube.before = race
        older = world.roll()
        world.operator()
        await world.until(lambda: len(tried) == 1, "the start")
        newer = world.roll(name="zz-newer", force=True)
        await world.until(lambda: agent.active is not None, "the order to be taken")
        await world.until(lambda: len(world.targets()) == 2, "the newer target")
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert world.states() == ["in_progress", "queued"]
        agent.hold = False
        agent.release()
        await world.finished(older, "succeeded")
        await world.finished(newer, "succeeded")


@pytest.mark.parametrize("gate", ["window", "deny window", "pause", "halt"])
async def test_a_gate_that_closes_before_in_progress_keeps_the_target_queued(gate: str) -> None:
    """The API server is away while in_progress is to be stored, and comes back too late."""
    async with World(instances=1, clock=FakeClock()) as world:
        rollout = world.roll()
        refused: list[str] = []

        async def away(verb: str, name: str) -> None:
            if verb != "status rollouttargets":
                return
            refused.append(name)
            if gate == "window":
                world.kube.edit(world.policy, maintenance_window=CLOSED)
            elif gate == "deny window":
                world.kube.edit(world.policy, windows=[DENIED])
            elif gate == "pause":
                world.kube.annotate(rollout, **{"hydracore.io/paused-by": "ada"})
            else:
                halt(world, rollout)
            raise Unavailable("away")

        world.kube.before = away
        world.operator()
        await world.until(lambda: bool(refused) and not world.entries(), "the slot to be free")
        assert world.states() == ["queued"]
        assert len(refused) == 1


async def test_a_start_that_was_delayed_for_long_is_made_anew_with_its_full_time() -> None:
    """The API server is away for minutes: the order must not go out with seconds left."""
    clock = FakeClock()
    async with World(instances=1, clock=clock) as world:
        refused: list[str] = []

        async def away(verb: str, name: str) -> None:
            if verb == "status rollouttargets" and not refused:
                refused.append(name)
                clock.advance(600)
                raise Unavailable("away")

        world.kube.before = away
        world.agent(0).hold = True
        world.roll()
        world.operator()
        await world.until(lambda: world.agent(0).active is not None, "the order to be taken")
        deadline = world.target_of(0).status.deadline
        assert deadline is not None
        assert (deadline - clock.now()).total_seconds() > 800


async def test_an_override_does_not_wait_for_the_window() -> None:
    async with World(instances=1, clock=FakeClock()) as world:
        world.kube.edit(world.policy, maintenance_window=CLOSED)
        waiting = world.roll()
        world.operator()
        await world.until(lambda: world.states() == ["queued"])
        world.kube.edit(waiting, cancel="Graceful")
        await world.finished(waiting, "cancelled")
        urgent = world.roll(name="urgent", override_window=True)
        await world.finished(urgent, "succeeded")


async def test_an_agent_that_knows_a_newer_leader_refuses() -> None:
    async with World(instances=1) as world:
        world.agent(0).epoch = 9
        world.roll(strategy={"target_timeout_seconds": 60})
        world.operator(epoch=1)
        await world.until(lambda: reason(world, 0) == "Unproven", "reason Unproven")
        assert world.oracle.accepted == []
        assert world.oracle.stale > 0
        assert world.states() == ["in_progress"]


async def test_a_busy_agent_gets_the_order_later() -> None:
    async with World(instances=1) as world:
        agent = world.agent(0)
        agent.hold = True
        agent.take_order(
            {"jti": OTHER_TASK, "epoch": 0, "exp": 9e9, "sha256": DIGEST, "version": "0.9.0"}
        )
        rollout = world.roll()
        world.operator()
        await world.until(lambda: world.agents.count("send_order") > 1, "two tries")
        agent.hold = False
        agent.release()
        await world.finished(rollout, "succeeded")


async def test_without_a_proof_of_identity_nothing_is_sent() -> None:
    async with World(instances=1) as world:
        found = world.instances[0]
        found = world.kube.put(
            found.model_copy(
                update={"status": found.status.model_copy(update={"agent_public_key": None})}
            )
        )
        world.roll()
        world.operator()
        await world.until(lambda: reason(world, 0) == "Resolving", "reason Resolving")
        assert world.agents.calls == []


async def test_a_lowered_limit_holds_back_what_was_not_sent() -> None:
    """Two were claimed and none sent when the operator died; then the limit became one."""
    async with World(instances=2, limit=2) as world:
        stored: list[str] = []

        async def die(verb: str, name: str) -> None:
            if verb == "status rollouttargets":
                stored.append(name)
                await asyncio.Event().wait()

        world.kube.after = die
        rollout = world.roll()
        first = world.operator(epoch=1)
        await world.until(lambda: len(stored) == 2, "two in progress")
        await first.kill()
        world.kube.after = None
        world.kube.edit(world.policy, max_parallel_rollouts=1)
        world.operator(epoch=2)
        await world.until(lambda: world.agents.count("task") > 5, "questions")
        assert world.oracle.accepted == []
        world.kube.edit(world.policy, max_parallel_rollouts=2)
        await world.finished(rollout, "succeeded")


async def test_a_lost_lease_stops_everything() -> None:
    async with World(instances=3, limit=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        leads = True

        def epoch() -> int:
            if not leads:
                raise NotLeader("the Lease is lost")
            return 1

        world.roll()
        operator = world.operator(run=False)
        object.__setattr__(operator.ctx, "epoch", epoch)
        operator.run()
        await world.until(lambda: len(world.oracle.in_flight) == 2, "two in flight")
        leads = False
        with pytest.raises(NotLeader):
            await operator.engine.reconcile("acme")
        await operator.kill()
        sent = world.agents.count("send_order")
        assert sent == 2
        assert operator.engine.in_flight("acme") == 0


async def test_a_namespace_that_ends_starts_nothing() -> None:
    async with World(instances=2) as world:
        namespace = world.namespace
        metadata = namespace.metadata.model_copy(
            update={"deletion_timestamp": world.clock.now(), "finalizers": ["kubernetes"]}
        )
        world.kube.put(namespace.model_copy(update={"metadata": metadata}))
        world.roll()
        operator = world.operator()
        for _ in range(3):
            await operator.engine.reconcile("acme")
        assert world.targets() == []
        assert world.oracle.accepted == []


async def test_the_ledger_of_a_vanished_namespace_is_removed() -> None:
    async with World(instances=1) as world:
        rollout = world.roll()
        operator = world.operator()
        await world.finished(rollout, "succeeded")
        key = ("hydracore-system", ledger_name(world.namespace.metadata.uid))
        assert key in world.kube.raw
        world.kube.remove(world.namespace)
        await operator.engine.reconcile("acme")
        assert key not in world.kube.raw


async def test_counts_are_held_back_and_states_are_not() -> None:
    async with World(instances=6, limit=1, clock=FakeClock()) as world:
        rollout = world.roll()
        world.operator()
        await world.finished(rollout, "succeeded")
        # The clock stands still: every write of counts alone would be one too many.
        writes = world.kube.writes["status rollouts"]
        assert writes <= 6
