"""A bundle that goes badly in one tenant, through the operator's own engine."""

from __future__ import annotations

from datetime import datetime

from hydracore_crds.base import Condition, find
from hydracore_crds.names import RELEASE_QUARANTINE_ANNOTATION, RESUMED_AT_ANNOTATION
from hydracore_operator.bundles.quarantine import settle_quarantine
from tests.operator.rollouts.fakes import START
from tests.operator.rollouts.world import Operator, World

CANARY = {"waves": [{"name": "canary", "count": 1}]}
WRITES = "status bundles"


async def settle(world: World, operator: Operator) -> tuple[Condition | None, datetime | None]:
    """Look at the bundle as the operator does; return its condition and when to look again."""
    bundle, again = await settle_quarantine(operator.ctx, world.kube.current(world.bundle))
    assert bundle == world.kube.current(world.bundle)
    return find(bundle.status.conditions, "Quarantined"), again


async def test_a_bad_canary_puts_its_bundle_into_quarantine_until_a_person_releases_it() -> None:
    async with World(instances=3) as world:
        world.agent(0).faults.outcome = "rolled_back"
        operator = world.operator()
        assert await settle(world, operator) == (None, None)
        rollout = world.roll(strategy=CANARY)
        await world.finished(rollout, "paused")
        shut, _ = await settle(world, operator)
        assert shut is not None
        assert (shut.status, shut.reason) == ("True", "RolloutHalted")
        assert rollout.metadata.name not in shut.message
        ready = find(world.kube.current(world.bundle).status.conditions, "Ready")
        assert ready is not None
        assert ready.status == "True"

        world.kube.annotate(
            rollout,
            **{RESUMED_AT_ANNOTATION: operator.clock.now().isoformat(timespec="microseconds")},
        )
        await world.finished(rollout, "failed")
        assert (await settle(world, operator))[0] == shut
        world.kube.remove(rollout)
        await world.until(lambda: not world.kube.of(type(rollout)), "the rollout to go")
        assert (await settle(world, operator))[0] == shut
        assert world.kube.writes[WRITES] == 1

        now = operator.clock.now().isoformat()
        world.kube.annotate(world.bundle, **{RELEASE_QUARANTINE_ANNOTATION: now})
        open_, again = await settle(world, operator)
        assert open_ is not None
        assert (open_.status, open_.reason, again) == ("False", "Released", None)
        await settle(world, operator)
        assert world.kube.writes[WRITES] == 2


async def test_a_rollout_that_takes_itself_back_does_so_too() -> None:
    async with World(instances=3, limit=1) as world:
        world.agent(1).faults.outcome = "rolled_back"
        operator = world.operator()
        rollout = world.roll(strategy={"on_failure": "rollback"})
        await world.finished(rollout, "failed")
        shut, _ = await settle(world, operator)
        assert shut is not None
        assert (shut.status, shut.reason) == ("True", "RolledBack")


async def test_a_release_that_lies_ahead_is_looked_at_again_then() -> None:
    async with World(instances=1) as world:
        operator = world.operator(run=False)
        year = START.replace(year=START.year + 100)
        world.kube.annotate(world.bundle, **{RELEASE_QUARANTINE_ANNOTATION: year.isoformat()})
        assert await settle(world, operator) == (None, year)
        assert world.kube.writes[WRITES] == 0
