"""The time to live: what REST or the operator made goes once history has it, the rest stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hydracore_crds import Rollout
from hydracore_crds.base import find
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_history import History
from hydracore_kube import Conflict
from hydracore_operator.archive import ArchiveReconciler, RolloutArchiver
from hydracore_operator.archive.reconciler import archive_key
from hydracore_operator.controller.reconciler import RetryLater
from tests.operator.archive.archiving import later
from tests.operator.archive.conftest import Lock
from tests.operator.rollouts import builders
from tests.operator.rollouts.world import Operator, World


def roll(world: World, made_by: str | None, name: str = "to-110") -> Rollout:
    made = builders.rollout(name)
    if made_by is not None:
        made.metadata.labels = {MANAGED_BY_LABEL: made_by}
    return world.kube.put(made)


async def look(operator: Operator, rollout: Rollout, days: float) -> datetime | timedelta | None:
    """Let the archive look at a rollout so many days from now."""
    ctx = later(operator, days)
    reconciler = ArchiveReconciler(ctx, {"rollouts": RolloutArchiver(ctx)})
    return await reconciler.reconcile(archive_key(rollout))


@pytest.mark.parametrize("made_by", ["api", "operator"])
async def test_ours_go_when_their_time_is_over(history: History, made_by: str) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        rollout = roll(world, made_by)
        await world.finished(rollout, "succeeded")
        ended = world.kube.current(rollout).status.completed_at
        assert ended is not None
        assert await look(operator, rollout, 6.9) == ended + timedelta(days=7)
        assert world.kube.writes["delete rollouts"] == 0
        assert await look(operator, rollout, 7.1) is None
        await world.until(lambda: operator.stores.rollouts.get(rollout.key) is None, "it to go")
        found = await history.rollouts.get(rollout.metadata.uid)
        assert found is not None
        assert [t.wire["status"]["state"] for t in found.targets] == ["succeeded"]


@pytest.mark.parametrize("made_by", [None, "argocd"])
async def test_what_people_or_git_applied_stays(history: History, made_by: str | None) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        rollout = roll(world, made_by)
        await world.finished(rollout, "succeeded")
        assert await look(operator, rollout, 4000) is None
        assert world.kube.writes["delete rollouts"] == 0
        assert await history.rollouts.get(rollout.metadata.uid) is not None


async def test_what_is_not_finished_stays(history: History) -> None:
    async with World(instances=1, history=history) as world:
        world.agent(0).hold = True
        operator = world.operator()
        rollout = roll(world, "api")
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        assert await look(operator, rollout, 8) is None
        assert world.kube.writes["delete rollouts"] == 0
        assert await history.rollouts.get(rollout.metadata.uid) is None


async def test_nothing_goes_while_history_is_locked(history: History, locked: Lock) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        rollout = roll(world, "api")
        await world.finished(rollout, "succeeded")
        with locked():
            with pytest.raises(RetryLater):
                await look(operator, rollout, 8)
            assert world.kube.writes["delete rollouts"] == 0
            told = find(world.kube.current(rollout).status.conditions, "Archived")
            assert told is not None
            assert (told.status, told.reason) == ("False", "HistoryUnavailable")
            writes = dict(world.kube.writes)
            with pytest.raises(RetryLater):
                await look(operator, rollout, 8)
            assert dict(world.kube.writes) == writes, "said once is enough"
        await look(operator, rollout, 8)
        await world.until(lambda: operator.stores.rollouts.get(rollout.key) is None, "it to go")


async def test_what_reads_back_as_something_else_is_not_removed(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that acknowledges and forgets: a restored replica, say."""

    async def forgets(*_: object, **__: object) -> None:
        return

    async with World(instances=1, history=history) as world:
        operator = world.operator()
        rollout = roll(world, "api")
        await world.finished(rollout, "succeeded")
        monkeypatch.setattr(history.rollouts, "archive", forgets)
        with pytest.raises(RetryLater, match="reads back as something else"):
            await look(operator, rollout, 8)
        assert world.kube.writes["delete rollouts"] == 0


async def test_a_rollout_that_changes_meanwhile_is_not_removed(history: History) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        rollout = roll(world, "api")
        await world.finished(rollout, "succeeded")

        async def annotated(verb: str, _name: str) -> None:
            if verb == "delete rollouts":
                world.kube.annotate(rollout, note="keep this")

        world.kube.before = annotated
        with pytest.raises(Conflict):
            await look(operator, rollout, 8)
        assert not world.kube.current(rollout).deleting


async def test_one_that_keeps_an_older_one_at_bay_stays(history: History) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        world.agent(0).faults.outcome = "rolled_back"
        old = builders.rollout("old")
        old.metadata.creation_timestamp = datetime(2020, 1, 1, tzinfo=UTC)
        old = world.kube.put(old)
        await world.finished(old, "failed")
        world.agent(0).faults.outcome = "activated"
        new = roll(world, "api", "new")
        await world.finished(new, "succeeded")
        assert await look(operator, new, 8) == timedelta(hours=1)
        assert world.kube.writes["delete rollouts"] == 0
        world.kube.remove(old)
        await world.until(lambda: operator.stores.rollouts.get(old.key) is None, "old to go")
        await look(operator, new, 8)
        await world.until(lambda: operator.stores.rollouts.get(new.key) is None, "new to go")
