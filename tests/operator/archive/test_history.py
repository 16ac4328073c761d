"""History of rollouts on real databases: complete, without duplicates, also after it was away."""

from __future__ import annotations

from sqlalchemy import func, select

from hydracore_crds import Rollout
from hydracore_crds.base import find
from hydracore_history import History
from hydracore_history.tables import ArchivedRolloutRow, ExecutionRow
from tests.operator.archive.archiving import Archiving
from tests.operator.archive.conftest import Lock
from tests.operator.rollouts.world import World, condition


async def rows(history: History, table: type[ArchivedRolloutRow | ExecutionRow]) -> int:
    async with history._database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def archived(world: World, rollout: Rollout) -> bool:
    found = await world.history.rollouts.head(rollout.metadata.uid)
    return found is not None and found.rollout["status"]["state"] == world.state(rollout)


async def wait_archived(world: World, rollout: Rollout) -> None:
    for _ in range(1000):
        if await archived(world, rollout):
            return
        await world.clock.sleep(0.01)
    raise AssertionError("the rollout is not archived")


async def test_a_finished_rollout_is_archived_with_its_targets(history: History) -> None:
    async with World(instances=3, history=history) as world:
        rollout = world.roll()
        async with Archiving(world.operator()):
            await world.finished(rollout, "succeeded")
            await wait_archived(world, rollout)
        found = await history.rollouts.get(rollout.metadata.uid)
        assert found is not None
        assert [t.wire["status"]["state"] for t in found.targets] == ["succeeded"] * 3
        assert found.tenant_id == "acme"
        assert "resourceVersion" not in found.rollout["metadata"]
        began = await rows(history, ExecutionRow)
        assert (began, await rows(history, ArchivedRolloutRow)) == (1, 1)


async def test_what_runs_goes_on_while_history_is_locked(history: History, locked: Lock) -> None:
    async with World(instances=4, limit=2, history=history) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        async with Archiving(world.operator()) as archive:
            await world.until(lambda: len(world.oracle.in_flight) == 2, "two in flight")
            with locked():
                for agent in world.all_agents():
                    agent.hold = False
                    agent.release()
                await world.finished(rollout, "succeeded")
                await world.until(lambda: archive.queue.metrics()["retried_later"] > 0, "a try")
            await wait_archived(world, rollout)
        found = await history.rollouts.get(rollout.metadata.uid)
        assert found is not None
        assert [t.wire["status"]["state"] for t in found.targets] == ["succeeded"] * 4
        assert await rows(history, ArchivedRolloutRow) == 1
        assert world.oracle.most_in_flight == 2


async def test_nothing_new_begins_while_history_is_locked(history: History, locked: Lock) -> None:
    async with World(instances=2, history=history) as world:
        with locked():
            world.operator()
            rollout = world.roll()
            await world.until(
                lambda: condition(world, rollout, "Progressing") == "HistoryUnavailable"
            )
            assert world.state(rollout) == "queued"
            assert world.oracle.accepted == []
        await world.finished(rollout, "succeeded")
        assert condition(world, rollout, "Progressing") == "Completed"


async def test_a_new_leader_goes_on_while_history_is_locked(history: History, locked: Lock) -> None:
    async with World(instances=3, limit=1, history=history) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        first = world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        with locked():
            await first.kill()
            world.operator(epoch=2)
            for agent in world.all_agents():
                agent.hold = False
                agent.release()
            await world.finished(rollout, "succeeded")


async def test_a_deleted_rollout_waits_for_history_and_says_so(
    history: History, locked: Lock
) -> None:
    async with World(instances=1, history=history) as world:
        rollout = world.roll()
        operator = world.operator()
        await world.finished(rollout, "succeeded")
        with locked():
            world.kube.remove(rollout)
            await world.until(lambda: condition(world, rollout, "Archived") is not None)
            told = find(world.kube.current(rollout).status.conditions, "Archived")
            assert told is not None
            assert (told.status, told.reason) == ("False", "HistoryUnavailable")
            assert "goes on by itself" in told.message
        await world.until(lambda: operator.stores.rollouts.get(rollout.key) is None, "it to go")
        found = await history.rollouts.get(rollout.metadata.uid)
        assert found is not None
        assert found.rollout["status"]["state"] == "succeeded"
        assert [c["type"] for c in found.rollout["status"]["conditions"]].count("Archived") == 0


async def test_deletion_of_what_was_archived_adds_no_revision(history: History) -> None:
    async with World(instances=1, history=history) as world:
        rollout = world.roll()
        operator = world.operator()
        async with Archiving(operator):
            await world.finished(rollout, "succeeded")
            await wait_archived(world, rollout)
            world.kube.remove(rollout)
            await world.until(lambda: operator.stores.rollouts.get(rollout.key) is None)
        assert await rows(history, ArchivedRolloutRow) == 1


async def test_a_retry_adds_a_revision(history: History) -> None:
    async with World(instances=1, history=history) as world:
        world.agent(0).faults.outcome = "rolled_back"
        rollout = world.roll()
        async with Archiving(world.operator()):
            await world.finished(rollout, "failed")
            await wait_archived(world, rollout)
            world.agent(0).faults.outcome = "activated"
            world.kube.edit(world.target_of(0), attempt=2)
            await world.finished(rollout, "succeeded")
            await wait_archived(world, rollout)
        assert await rows(history, ArchivedRolloutRow) == 2
        assert await rows(history, ExecutionRow) == 1
