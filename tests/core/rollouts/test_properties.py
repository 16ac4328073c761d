"""Random histories: whatever people, agents and crashes do, the invariants hold and it ends.

The oracles assert I3 to I6 at every step (see ``oracles.py``); here only the events are made.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.rollouts import deeds, oracles
from tests.core.rollouts.agents import Behaviour
from tests.core.rollouts.builders import fleet, policy
from tests.core.rollouts.simulation import Event, World
from tests.core.windows.policies import allow, deny

START = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
INSTANCES = [f"a-{number}" for number in range(5)]
ROLLOUTS = ["r1", "r2"]
TARGETS = [f"{name}-{order:05d}" for name in ROLLOUTS for order in range(5)]

instance_names = st.sampled_from(INSTANCES)
rollout_names = st.sampled_from(ROLLOUTS)
behaviours = st.builds(
    Behaviour,
    minutes=st.sampled_from([1, 4, 14, 30]),
    outcome=st.sampled_from(["activated", "activated", "rolled_back", "rejected"]),
    silent=st.sampled_from([0, 0, 3, 25]),
)
scripts = st.lists(st.tuples(instance_names, behaviours, st.sampled_from([1, 1, 1, 4])), max_size=6)
"""Instances, how their agents carry out their next orders, and how many of them like that."""
strategies = st.sampled_from(
    [
        {},
        {"maxParallel": 1},
        {"onFailure": "continue"},
        {"onFailure": "rollback"},
        {"onFailure": "rollback", "waves": [{"count": 2}], "failureThreshold": {"count": 2}},
        {"waves": [{"count": 1, "bakeSeconds": 120, "approval": True}, {"percent": 40}]},
        {"waves": [{"percent": 20}, {"count": 2, "successPercent": 50}], "onFailure": "continue"},
        {"failureThreshold": {"percent": 40, "minExecuted": 2}},
        {"failureThreshold": {"count": 3}, "targetTimeoutSeconds": 300},
        {"retryLimit": 2, "retryBackoffSeconds": 120},
        {"retryLimit": 1, "maxParallel": 1, "waves": [{"count": 2, "bakeSeconds": 60}]},
        {"staggerSeconds": 180},
        {"staggerSeconds": 60, "retryLimit": 1, "failureThreshold": {"count": 2}},
        {"ramp": {"startsPerMinute": 1, "successesPerStep": 1, "maxStartsPerMinute": 4}},
        {
            "ramp": {
                "startsPerMinute": 1,
                "increasePercent": 50,
                "successesPerStep": 2,
                "maxStartsPerMinute": 600,
            },
            "retryLimit": 1,
            "onFailure": "rollback",
        },
        {"progressDeadlineSeconds": 600},
        {"progressDeadlineSeconds": 600, "onFailure": "continue", "maxParallel": 1},
        {"progressDeadlineSeconds": 1200, "retryLimit": 3, "uncertainCountsAs": "ignored"},
        {"progressDeadlineSeconds": 300, "staggerSeconds": 240, "waves": [{"count": 1}]},
    ]
)
allows = st.sampled_from(
    [
        allow("0 23 * * *", "2h", "Europe/Berlin"),
        allow("*/20 * * * *", "10m"),
        allow("0 22 * * *", "9h"),
    ]
)
denies = st.sampled_from([deny("10 22 * * *", "15m"), deny("30 * * * *", "30m", "Asia/Kolkata")])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(deeds.pause, rollout_names),
    st.builds(deeds.resume, rollout_names),
    st.builds(deeds.resume, rollout_names),
    st.builds(deeds.approve, rollout_names),
    st.builds(deeds.take_back, rollout_names),
    st.builds(deeds.cancel, rollout_names, st.sampled_from(["Graceful", "Force"])),
    st.builds(deeds.delete_rollout, rollout_names),
    st.builds(deeds.retry, st.sampled_from(TARGETS)),
    st.builds(deeds.retry, st.sampled_from(TARGETS)),
    st.builds(deeds.delete_instance, instance_names),
    st.builds(deeds.recreate_instance, instance_names),
    st.builds(
        deeds.change_instance,
        instance_names,
        health_status=st.sampled_from(["unreachable", "healthy"]),
    ),
    st.builds(deeds.change_instance, instance_names, state=st.sampled_from(["error", "running"])),
    st.builds(deeds.silence, instance_names, st.sampled_from([1, 10, 40])),
    st.builds(deeds.set_policy, st.integers(1, 4), st.sampled_from([None, (22, 23), (23, 1)])),
    st.builds(deeds.set_windows, st.sampled_from([0, 600]), allows),
    st.builds(deeds.set_windows, st.sampled_from([0, 600]), allows, denies),
    st.builds(deeds.freeze, st.sampled_from([None, 4, 30])),
    st.builds(deeds.unfreeze),
    st.builds(deeds.grant, st.sampled_from([None, 0, 1, 2])),
    st.builds(deeds.crash, st.integers(0, 12)),
    st.builds(deeds.crash, st.integers(0, 12)),
    st.builds(deeds.restore, rollout_names),
    st.builds(deeds.history_away),
)
histories = st.lists(
    st.tuples(st.sampled_from([0, 0.5, 2, 3, 7, 16, 45]), events), min_size=1, max_size=10
)


def world_of(
    scripts: list[tuple[str, Behaviour, int]], strategy: dict[str, object], seed: int
) -> World:
    there = {i.metadata.name: i for i in fleet(5)}
    world = World(START, seed, creates_at_once=1 + seed, instances=there, policy=policy(2))
    for name, behaviour, times in scripts:
        deeds.script(name, *[behaviour] * times)(world)
    deeds.create("r1", strategy=strategy)(world)
    world.at(20, deeds.create("r2", version="1.2.0"))
    return world


@given(
    scripts=scripts,
    strategy=strategies,
    history=histories,
    seed=st.integers(0, 3),
)
@settings(
    max_examples=140, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
def test_invariants_hold_and_everything_settles(
    scripts: list[tuple[str, Behaviour, int]],
    strategy: dict[str, object],
    history: list[tuple[float, Event]],
    seed: int,
) -> None:
    world = world_of(scripts, strategy, seed)
    minutes = 0.0
    for gap, event in history:
        minutes += gap
        world.at(minutes, event)
    world.run(minutes + 60)
    # Calm: always open, everybody back, nobody in the way; then all must come to an end.
    world.crash_in = None
    deeds.history_away(away=False)(world)
    deeds.set_policy(3)(world)
    deeds.unfreeze()(world)
    deeds.grant(None)(world)
    for name in INSTANCES:
        deeds.change_instance(name, state="running", health_status="healthy")(world)
    for _ in range(6):
        for name in ROLLOUTS:
            deeds.resume(name)(world)
            deeds.approve(name)(world)
        world.run(60)
    assert not world.ledger
    for found in world.rollouts.values():
        assert found.status.state in {"succeeded", "failed", "cancelled"}, world.log[-20:]
        assert found.status.completed_at is not None
        oracles.taken_back(world, found)
    states = {target.status.state for target in world.targets.values()}
    assert states <= {"succeeded", "failed", "uncertain", "cancelled"}
    plans = world.plans
    before = (dict(world.rollouts), dict(world.targets))
    world.step()
    assert world.plans == plans + 1, "it does not rest"
    assert before == (world.rollouts, world.targets)
