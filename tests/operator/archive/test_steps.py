"""Steps of rollouts and targets in history's log: all of them, once, whatever comes between."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from hydracore_crds import Rollout
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_history import History
from hydracore_operator.archive import ArchiveReconciler, RolloutArchiver, StepRecorder
from hydracore_operator.archive.reconciler import archive_key
from hydracore_operator.controller.reconciler import RetryLater
from tests.operator.archive.archiving import Archiving, later
from tests.operator.archive.conftest import Lock
from tests.operator.archive.test_history import wait_archived
from tests.operator.rollouts import builders
from tests.operator.rollouts.world import Operator, World

KEY = "api-key laptop (k-1)"


class Recording:
    """A recorder that runs; ``flush`` tells history at once."""

    def __init__(self, operator: Operator) -> None:
        self._recorder = StepRecorder(operator.ctx)

    async def __aenter__(self) -> StepRecorder:
        self._running = asyncio.create_task(self._recorder.run())
        await asyncio.sleep(0)
        return self._recorder

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running


async def log(history: History, rollout: Rollout) -> list[tuple[str, int, str, str]]:
    found = await history.transitions.of_rollout(rollout.metadata.uid)
    return [(one.kind, one.seq, one.event, one.actor) for one in found]


def born(world: World, rollout: Rollout) -> int:
    """How many steps the objects themselves tell of."""
    mine = [world.kube.current(rollout), *world.targets()]
    return sum(len(one.status.transitions) for one in mine)


async def test_a_finished_rollout_is_archived_with_all_its_steps(history: History) -> None:
    async with World(instances=2, limit=1, history=history) as world:
        rollout = world.roll(initiated_by=KEY)
        async with Archiving(world.operator()):
            await world.finished(rollout, "succeeded")
            await wait_archived(world, rollout)
        found = await log(history, rollout)
        assert [one[1:] for one in found if one[0] == "Rollout"] == [
            (1, "created", KEY),
            (2, "started", "operator"),
            (3, "succeeded", "operator"),
        ]
        assert len(found) == born(world, rollout) == 7


async def test_steps_are_told_while_a_rollout_runs_and_once(history: History) -> None:
    async with World(instances=2, limit=1, history=history) as world:
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll()
        operator = world.operator()
        async with Recording(operator) as recorder, Archiving(operator):
            await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
            await world.until(lambda: world.state(rollout) == "in_progress", "the start")
            await recorder.flush()
            assert [one[2] for one in await log(history, rollout)].count("started") == 2
            for agent in world.all_agents():
                agent.hold = False
                agent.release()
            await world.finished(rollout, "succeeded")
            await recorder.flush()
            await wait_archived(world, rollout)
        assert len(await log(history, rollout)) == born(world, rollout) == 7


async def test_a_new_leader_tells_what_the_former_had_no_time_for(history: History) -> None:
    async with World(instances=1, history=history) as world:
        world.agent(0).hold = True
        rollout = world.roll()
        operator = world.operator()
        await world.until(lambda: world.state(rollout) == "in_progress", "the start")
        assert await log(history, rollout) == []
        async with Recording(operator) as recorder:
            await recorder.flush()
        assert len(await log(history, rollout)) == born(world, rollout) == 3


async def test_what_history_could_not_take_is_told_when_it_is_back(
    history: History, locked: Lock
) -> None:
    async with World(instances=1, history=history) as world:
        world.agent(0).hold = True
        rollout = world.roll()
        operator = world.operator()
        async with Recording(operator) as recorder:
            await world.until(lambda: world.state(rollout) == "in_progress", "the start")
            with locked():
                await recorder.flush()
                world.kube.annotate(rollout, **{"hydracore.io/paused-by": KEY})
                await world.until(lambda: world.state(rollout) == "paused", "the pause")
            await recorder.flush()
        events = [one[2] for one in await log(history, rollout)]
        assert sorted(events) == ["created", "paused", "started", "started"]


async def test_a_rollout_stays_until_its_steps_are_kept(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that acknowledges and forgets."""

    async def forgets(*_: object) -> None:
        return

    async with World(instances=1, history=history) as world:
        operator = world.operator()
        made = builders.rollout()
        made.metadata.labels = {MANAGED_BY_LABEL: "api"}
        rollout = world.kube.put(made)
        await world.finished(rollout, "succeeded")
        ctx = later(operator, 8)
        archive = ArchiveReconciler(ctx, {"rollouts": RolloutArchiver(ctx)})
        with monkeypatch.context() as broken:
            broken.setattr(history.transitions, "record", forgets)
            with pytest.raises(RetryLater, match="steps of Rollout acme/to-110 were stored and"):
                await archive.reconcile(archive_key(rollout))
        assert world.kube.writes["delete rollouts"] == 0
        await archive.reconcile(archive_key(rollout))
        assert world.kube.writes["delete rollouts"] == 1
