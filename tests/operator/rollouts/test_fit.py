"""Window fit, driven by the whole engine."""

from __future__ import annotations

from hydracore_crds.update_policy import MaintenanceWindow
from tests.operator.rollouts.fakes import START, FakeClock
from tests.operator.rollouts.world import World, condition, release_all, settle_down

MINUTE, HOUR = 60, 3600


async def test_who_would_run_past_the_close_waits_for_the_next_window_and_says_so() -> None:
    clock = FakeClock()
    async with World(instances=2, limit=1, clock=clock) as world:
        hours = MaintenanceWindow(start_hour_utc=START.hour, end_hour_utc=START.hour + 1)
        world.kube.edit(world.policy, maintenance_window=hours)
        for agent in world.all_agents():
            agent.hold = True
        rollout = world.roll(strategy={"targetTimeoutSeconds": HOUR})
        operator = world.operator()
        await world.until(lambda: len(world.oracle.in_flight) == 1, "one in flight")
        clock.advance(40 * MINUTE)
        world.agent(0).release()
        await world.until(lambda: world.states().count("succeeded") == 1, "the first to end")
        await settle_down(operator)
        assert condition(world, rollout, "Progressing") == "DoesNotFitWindow"
        message = world.kube.current(rollout).status.message or ""
        assert "1 target (i01) waits until" in message
        assert "an update needs 40 min (p95 of 1)" in message
        assert len(world.oracle.accepted) == 1
        clock.advance(24 * HOUR - 40 * MINUTE)
        await settle_down(operator)
        await world.until(lambda: len(world.oracle.accepted) == 2, "the second, at the opening")
        await release_all(world, rollout)
