from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hydracore_core.rollouts.estimate import (
    REMEMBERED,
    Observed,
    Stretch,
    Tempo,
    ends_at,
    observe,
)
from hydracore_core.windows import ALWAYS_OPEN, WindowState, window_state
from hydracore_crds import RolloutTarget
from tests.core.rollouts.builders import NOW, done, instance, policy, rollout, target

NIGHT = policy(window=(22, 23))


def always(time: datetime) -> WindowState:
    del time
    return ALWAYS_OPEN


def nights(time: datetime) -> WindowState:
    return window_state(NIGHT, time)


def after(begin: datetime, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if end is not None else None


@pytest.mark.parametrize(
    ("stretches", "at_once", "seconds"),
    [
        ([Stretch(4)], 2, 2 * 60),
        ([Stretch(5)], 2, 3 * 60),
        ([Stretch(0)], 2, 0),
        ([Stretch(1), Stretch(4)], 2, 3 * 60),
        ([Stretch(1, bake_seconds=300), Stretch(2)], 2, 60 + 300 + 60),
        ([Stretch(3)], 10, 60),
    ],
)
def test_waves_take_their_rounds_and_bake(
    stretches: list[Stretch], at_once: int, seconds: float
) -> None:
    assert after(NOW, ends_at(NOW, stretches, Tempo(at_once, 60), always)) == seconds


def test_a_round_begins_only_while_the_window_is_open() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    opens = datetime(2026, 3, 1, 22, tzinfo=UTC)
    # One hour is open: three rounds of 25 minutes begin in it, the fourth waits for the next night.
    tempo = Tempo(1, timedelta(minutes=25).total_seconds())
    assert ends_at(noon, [Stretch(3)], tempo, nights) == opens + timedelta(minutes=75)
    later = opens + timedelta(days=1, minutes=25)
    assert ends_at(noon, [Stretch(4)], tempo, nights) == later


def test_what_would_not_fit_the_window_is_foreseen_for_the_next_one() -> None:
    opens = datetime(2026, 3, 1, 22, tzinfo=UTC)
    tempo = Tempo(1, 25 * 60, needs=timedelta(minutes=30))
    # The third of an hour would have ten minutes: it is the first of the next night.
    later = opens + timedelta(days=1, minutes=25)
    assert ends_at(opens, [Stretch(3)], tempo, nights) == later
    never = Tempo(1, 25 * 60, needs=timedelta(minutes=61))
    assert ends_at(opens, [Stretch(3)], never, nights) is None


def test_starts_keep_their_distance_which_successes_may_shorten() -> None:
    apart = Tempo(10, 60, distance=lambda _: timedelta(seconds=90))
    assert after(NOW, ends_at(NOW, [Stretch(3)], apart, always)) == 2 * 90 + 60
    last = replace(apart, last=NOW - timedelta(seconds=30))
    assert after(NOW, ends_at(NOW, [Stretch(1)], last, always)) == 60 + 60
    # Starts at 0, 90 and 180; by then two have succeeded, so that the last one comes at 210.
    ramp = replace(apart, distance=lambda n: timedelta(seconds=30 if n >= 2 else 90))
    assert after(NOW, ends_at(NOW, [Stretch(4)], ramp, always)) == 150 + 30 + 60
    # One success was there before: the first of these is enough, at 60.
    known = replace(ramp, succeeded=1)
    assert after(NOW, ends_at(NOW, [Stretch(3)], known, always)) == 60 + 30 + 60


def test_what_would_end_in_years_or_never_is_not_estimated() -> None:
    closed = WindowState(open=False, next_change=None)
    assert ends_at(NOW, [Stretch(1)], Tempo(1, 60), lambda _: closed) is None
    assert ends_at(NOW, [Stretch(500)], Tempo(1, 3600), nights) is None


def test_the_average_is_of_updates_that_succeeded() -> None:
    owner = rollout()
    ended = [
        done(owner, instance("a"), 0, "succeeded"),  # two minutes
        done(owner, instance("b"), 1, "succeeded", started_at=NOW - timedelta(minutes=5)),
        done(owner, instance("c"), 2, "failed", started_at=NOW - timedelta(hours=9)),
        target(owner, instance("d"), 3),
    ]
    assert observe(ended) == Observed(seconds=180, number=2, p95_seconds=240)
    assert observe(ended[2:]) is None


def test_only_the_newest_updates_count() -> None:
    owner = rollout()

    def took(order: int, seconds: float, ago: timedelta) -> RolloutTarget:
        end = NOW - ago
        times = {"started_at": end - timedelta(seconds=seconds), "completed_at": end}
        return done(owner, instance(f"i{order}"), order, "succeeded", **times)

    old = [took(n, 1000, timedelta(days=30)) for n in range(5)]
    new = [took(n, 10, timedelta(hours=n)) for n in range(REMEMBERED)]
    assert observe([*new, *old]) == Observed(seconds=10, number=REMEMBERED, p95_seconds=10)


@pytest.mark.parametrize(("number", "rank"), [(1, 1), (2, 2), (19, 19), (20, 19), (40, 38)])
def test_nineteen_of_twenty_took_no_longer_than_p95(number: int, rank: int) -> None:
    begun = NOW - timedelta(hours=1)
    ended = [
        done(
            rollout(),
            instance(f"i{n}"),
            n,
            "succeeded",
            started_at=begun,
            completed_at=begun + timedelta(seconds=n + 1),
        )
        for n in range(number)
    ]
    found = observe(ended)
    assert found is not None
    assert found.p95_seconds == rank


def test_what_was_settled_after_its_orders_end_says_nothing_of_durations() -> None:
    late = {"deadline": NOW - timedelta(minutes=2), "completed_at": NOW - timedelta(minutes=1)}
    assert observe([done(rollout(), instance("a"), 0, "succeeded", **late)]) is None
