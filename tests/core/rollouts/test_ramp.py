from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydracore_core.rollouts.model import Plan, Report, Start
from hydracore_core.rollouts.plan import plan
from hydracore_core.rollouts.ramp import countdown, distance, paced, rate
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import Counts, Ramp, Strategy
from tests.core.rollouts.builders import (
    NOW,
    done,
    fleet,
    of,
    policy,
    rollout,
    running,
    target,
    view,
)

FLEET = fleet(8)
RAMP = {"startsPerMinute": 2, "successesPerStep": 2, "maxStartsPerMinute": 10}


def of_(**fields: Any) -> Strategy:
    return Strategy.model_validate({"ramp": {**RAMP, **fields}})


def ramps() -> st.SearchStrategy[Ramp]:
    return st.builds(
        lambda low, more, step, extra: Ramp(
            starts_per_minute=low,
            increase_percent=more,
            successes_per_step=step,
            max_starts_per_minute=min(600, low + extra),
        ),
        st.integers(1, 600),
        st.integers(10, 400),
        st.integers(1, 50),
        st.integers(0, 599),
    )


@pytest.mark.parametrize(
    ("succeeded", "starts"), [(0, 2), (1, 2), (2, 4), (3, 4), (4, 8), (6, 10), (10**9, 10)]
)
def test_the_rate_grows_with_each_step_up_to_the_highest(succeeded: int, starts: float) -> None:
    strategy = of_()
    assert strategy.ramp is not None
    assert rate(strategy.ramp, succeeded) == starts
    assert distance(strategy, succeeded) == timedelta(seconds=60 / starts)


def test_it_grows_by_so_many_percent() -> None:
    slow = of_(increasePercent=10, maxStartsPerMinute=600).ramp
    assert slow is not None
    assert rate(slow, 4) == pytest.approx(2 * 1.1**2)


def test_without_a_ramp_the_stagger_is_the_distance() -> None:
    assert distance(Strategy(stagger_seconds=90), 1000) == timedelta(seconds=90)
    assert countdown(Strategy(stagger_seconds=90), 3) == 270
    assert [paced(s) for s in (Strategy(), Strategy(stagger_seconds=1), of_())] == [0, 1, 1]


@given(ramps(), st.integers(0, 300))
def test_a_countdown_is_what_happens_if_all_succeeds_at_once(ramp: Ramp, order: int) -> None:
    strategy = Strategy(ramp=ramp)
    seconds = sum(60 / rate(ramp, started) for started in range(1, order + 1))
    assert countdown(strategy, order) == pytest.approx(seconds, abs=1)


@given(ramps(), st.integers(0, 10**6), st.integers(0, 1000))
def test_success_never_slows_it_down_and_no_minute_sees_more_than_the_highest(
    ramp: Ramp, succeeded: int, more: int
) -> None:
    strategy = Strategy(ramp=ramp)
    sooner, later = distance(strategy, succeeded), distance(strategy, succeeded + more)
    assert later <= sooner <= timedelta(seconds=60 / ramp.starts_per_minute)
    assert later >= timedelta(seconds=60 / ramp.max_starts_per_minute)


# ---- in the plan --------------------------------------------------------------------------------
def owner(**fields: Any) -> Rollout:
    return rollout(**{"admitted": True, "strategy": {"ramp": RAMP}, **fields})


def queued(mine: Rollout, order: int) -> RolloutTarget:
    found = target(mine, FLEET[order], order)
    after = countdown(mine.spec.strategy, order)
    spec = found.spec.model_copy(update={"scheduled_countdown_seconds": after})
    return found.model_copy(update={"spec": spec})


def decide(mine: Rollout, *targets: RolloutTarget) -> Plan:
    return plan(view(rollouts=[mine], targets=targets, instances=FLEET, policy=policy(8)))


def started(made: Plan) -> list[str]:
    return [start.target_name for start in of(made, Start)]


def flying(mine: Rollout, order: int, seconds: float) -> RolloutTarget:
    return running(mine, FLEET[order], order, started_at=NOW - timedelta(seconds=seconds))


def test_the_first_starts_at_once_and_the_next_at_the_rate_it_begins_with() -> None:
    made = decide(owner(), *(queued(owner(), n) for n in range(4)))
    assert started(made) == ["r1-00000"]
    assert made.wake_at == NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("succeeded", "seconds", "starts"),
    [(1, 29, []), (1, 30, ["r1-00004"]), (2, 14, []), (2, 15, ["r1-00004"])],
)
def test_the_next_start_is_as_far_away_as_the_stored_successes_say(
    succeeded: int, seconds: float, starts: list[str]
) -> None:
    mine = owner(status={"started_at": NOW - timedelta(hours=1)})
    ended = [done(mine, FLEET[n], n, "succeeded" if n < succeeded else "failed") for n in range(3)]
    made = decide(
        mine.model_copy(update={"spec": tolerant(mine)}),
        *ended,
        flying(mine, 3, seconds),
        *(queued(mine, n) for n in range(4, 8)),
    )
    assert started(made) == starts


def tolerant(mine: Rollout) -> Any:
    strategy = mine.spec.strategy.model_copy(update={"on_failure": "continue"})
    return mine.spec.model_copy(update={"strategy": strategy})


def test_what_was_deleted_by_hand_still_counts_as_a_success() -> None:
    gone = {"removed": Counts(total=2, succeeded=2), "started_at": NOW - timedelta(hours=1)}
    mine = owner(status={**gone, "counts": Counts(total=4, succeeded=2, queued=1, in_progress=1)})
    assert started(decide(mine, flying(mine, 2, 15), queued(mine, 3))) == ["r1-00003"]


def test_it_says_when_the_next_one_starts_and_at_which_rate() -> None:
    mine = owner(status={"started_at": NOW - timedelta(hours=1)})
    ended = [done(mine, FLEET[n], n, "succeeded") for n in range(2)]
    ended[1].status.started_at = NOW - timedelta(seconds=5)
    (report,) = of(decide(mine, *ended, queued(mine, 2)), Report)
    assert report.status.conditions[0].reason == "WaitingForRamp"
    assert (report.status.message or "").endswith(
        "the next target starts at 2026-03-01 12:00:10Z: 4 starts a minute after 2 succeeded (ramp)"
    )
