"""A bounded number of finished rollouts stays in the cluster: the newest, and what is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hydracore_crds import Rollout
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_history import History
from hydracore_operator.archive import ArchiveReconciler, RolloutArchiver
from hydracore_operator.archive.reconciler import archive_key
from hydracore_operator.controller.reconciler import RetryLater
from tests.operator.archive.conftest import Lock
from tests.operator.rollouts import builders
from tests.operator.rollouts.world import Operator, World

KEEP = 2


def ended(
    world: World, number: int, *, made_by: str | None = "api", namespace: str | None = None
) -> Rollout:
    """Put a rollout there that ended in the given minute, with nothing in the way of its going."""
    made = builders.rollout(f"roll-{number}")
    at = world.clock.now() - timedelta(hours=1) + timedelta(minutes=number)
    status = made.status.model_copy(
        update={"state": "succeeded", "completed_at": at, "observed_generation": 1}
    )
    changed: dict[str, object] = {"labels": {MANAGED_BY_LABEL: made_by} if made_by else {}}
    if namespace is not None:
        changed["namespace"] = namespace
    metadata = made.metadata.model_copy(update=changed)
    return world.kube.put(made.model_copy(update={"status": status, "metadata": metadata}))


async def look(operator: Operator, *rollouts: Rollout) -> None:
    settings = operator.ctx.settings.model_copy(update={"finished_keep": KEEP})
    ctx = replace(operator.ctx, settings=settings)
    reconciler = ArchiveReconciler(ctx, {"rollouts": RolloutArchiver(ctx)})
    for rollout in rollouts:
        await reconciler.reconcile(archive_key(rollout))


def there(world: World) -> list[str]:
    return sorted(r.metadata.name for r in world.kube.of(Rollout) if not r.deleting)


async def test_the_newest_stay_and_older_ones_go_once_history_has_them(history: History) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        rollouts = [ended(world, number) for number in (3, 1, 4, 2)]
        await look(operator, *rollouts)
        assert there(world) == ["roll-3", "roll-4"]
        for rollout in rollouts:
            assert await history.rollouts.head(rollout.metadata.uid) is not None


async def test_what_people_or_git_applied_neither_goes_nor_counts(history: History) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        theirs = [ended(world, number, made_by=None) for number in (7, 8, 9)]
        ours = [ended(world, 1), ended(world, 2, made_by="operator")]
        await look(operator, *theirs, *ours)
        assert len(there(world)) == 5


async def test_what_runs_does_not_count(history: History) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        world.agent(0).hold = True
        running = builders.rollout("running")
        running.metadata.labels = {MANAGED_BY_LABEL: "api"}
        world.kube.put(running)
        rollouts = [ended(world, 1), ended(world, 2)]
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        await look(operator, *rollouts)
        assert there(world) == ["roll-1", "roll-2", "running"]


async def test_nothing_goes_before_history_has_it(history: History, locked: Lock) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        rollouts = [ended(world, number) for number in (1, 2, 3)]
        with locked(), pytest.raises(RetryLater):
            await look(operator, rollouts[0])
        assert len(there(world)) == 3
        await look(operator, *rollouts)
        assert there(world) == ["roll-2", "roll-3"]


async def test_what_keeps_an_older_one_at_bay_stays_beyond_the_limit(history: History) -> None:
    async with World(instances=1, history=history) as world:
        operator = world.operator()
        world.agent(0).faults.outcome = "rolled_back"
        old = builders.rollout("old")
        old.metadata.creation_timestamp = datetime(2020, 1, 1, tzinfo=UTC)
        old = world.kube.put(old)
        await world.finished(old, "failed")
        world.agent(0).faults.outcome = "activated"
        keeper = builders.rollout("keeper")
        keeper.metadata.labels = {MANAGED_BY_LABEL: "api"}
        keeper = world.kube.put(keeper)
        await world.finished(keeper, "succeeded")
        newer = [ended(world, number) for number in (100, 101, 102)]
        await look(operator, keeper, *newer)
        assert there(world) == ["keeper", "old", "roll-101", "roll-102"]
