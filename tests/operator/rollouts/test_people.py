"""The engine as a whole, in memory: what people do to a rollout while it runs."""

from __future__ import annotations

from tests.operator.rollouts.world import World, condition, reason, release_all


async def test_graceful_cancel_lets_what_runs_finish() -> None:
    async with World(instances=4, limit=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 2, "two in flight")
        world.kube.edit(rollout, cancel="Graceful")
        await world.until(lambda: world.states().count("cancelled") == 2)
        for agent in world.all_agents():
            agent.release()
        await world.finished(rollout, "cancelled")
        assert world.states().count("succeeded") == 2
        assert len(world.oracle.accepted) == 2


async def test_force_cancel_aborts_what_runs() -> None:
    async with World(instances=3, limit=2) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 2, "two in flight")
        world.kube.annotate(rollout, **{"hydracore.io/cancel": "Force"})
        await world.finished(rollout, "cancelled")
        assert world.states() == ["cancelled"] * 3
        assert [t.status.last_result_status for t in world.targets()].count("aborted") == 2
        assert world.oracle.activated == []
        await world.until(lambda: not world.entries(), "the ledger to be empty")


async def test_nothing_starts_after_a_cancel_was_seen() -> None:
    """The cancel arrives while in_progress is being written."""
    async with World(instances=2, limit=2) as world:
        rollout = world.roll()

        async def cancel(verb: str, _name: str) -> None:
            if verb == "status rollouttargets":
                world.kube.after = None
                world.kube.edit(rollout, cancel="Graceful")

        world.kube.after = cancel
        world.operator()
        await world.finished(rollout, "cancelled")
        assert world.oracle.accepted == []
        assert world.states() == ["cancelled"] * 2


async def test_pause_is_a_gate_and_resume_opens_it() -> None:
    async with World(instances=4, limit=1) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        operator = world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        world.kube.edit(rollout, paused=True)
        next(a for a in world.all_agents() if a.active).release()
        await world.until(lambda: world.states().count("succeeded") == 1)
        await operator.engine.reconcile("acme")
        assert world.states().count("queued") == 3
        assert len(world.oracle.accepted) == 1
        world.kube.edit(rollout, paused=False)
        await release_all(world, rollout)


async def test_a_retry_is_a_new_attempt() -> None:
    async with World(instances=1) as world:
        world.agent(0).faults.outcome = "rolled_back"
        rollout = world.roll()
        world.operator()
        await world.until(lambda: world.states() == ["failed"])
        first = world.target_of(0).status.task_id
        world.agent(0).faults.outcome = "activated"
        world.kube.edit(world.target_of(0), attempt=2)
        await world.finished(rollout, "succeeded")
        target = world.target_of(0)
        assert (target.status.attempt, target.status.state) == (2, "succeeded")
        assert target.status.task_id != first
        assert target.status.error_message is None


async def test_a_deleted_rollout_settles_is_archived_and_goes() -> None:
    async with World(instances=3, limit=1) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        world.history.away = True
        world.kube.remove(rollout)
        await world.until(lambda: world.states().count("cancelled") == 2)
        next(a for a in world.all_agents() if a.active).release()
        await world.until(lambda: condition(world, rollout, "Archived") == "HistoryUnavailable")
        world.history.away = False
        key = ("rollouts", rollout.key)
        await world.until(lambda: key not in world.kube.objects, "the rollout to go")
        wire, targets = world.history.kept[rollout.metadata.uid]
        assert wire["status"]["state"] == "cancelled"
        assert sorted(t["status"]["state"] for t in targets) == [
            "cancelled",
            "cancelled",
            "succeeded",
        ]


async def test_a_deleted_instance_frees_its_slot() -> None:
    async with World(instances=2, limit=1) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        busy = next(n for n in range(2) if world.agent(n).active)
        world.kube.remove(world.instances[busy])
        other = world.agent(1 - busy)
        await world.until(lambda: other.active is not None, "the other to start")
        other.release()
        await world.until(lambda: world.state(rollout) in {"succeeded", "failed", "cancelled"})
        assert world.target_of(busy).status.state == "cancelled"
        assert reason(world, busy) == "InstanceDeleted"
        assert world.target_of(1 - busy).status.state == "succeeded"


async def test_a_target_deleted_by_hand_keeps_its_slot_until_the_agent_answers() -> None:
    async with World(instances=2, limit=1) as world:
        for agent in world.all_agents():
            agent.hold = True
        world.roll()
        world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        busy = next(n for n in range(2) if world.agent(n).active)
        asked = world.agents.count("task")
        world.kube.remove(world.target_of(busy))
        await world.until(lambda: world.agents.count("task") > asked + 3, "questions")
        assert len(world.oracle.accepted) == 1
        world.agent(busy).release()
        await world.until(lambda: world.agent(1 - busy).active is not None, "the other to start")
        assert world.oracle.most_in_flight == 1
