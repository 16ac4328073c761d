from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hydracore_core.rollouts.estimate import REMEMBERED, Observed, Stretch, ends_at, observe
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
    assert after(NOW, ends_at(NOW, stretches, at_once, 60, always)) == seconds


def test_a_round_begins_only_while_the_window_is_open() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    opens = datetime(2026, 3, 1, 22, tzinfo=UTC)
    # One hour is open: three rounds of 25 minutes begin in it, the fourth waits for the next night.
    minutes = timedelta(minutes=25).total_seconds()
    assert ends_at(noon, [Stretch(3)], 1, minutes, nights) == opens + timedelta(minutes=75)
    later = opens + timedelta(days=1, minutes=25)
    assert ends_at(noon, [Stretch(4)], 1, minutes, nights) == later


def test_what_would_end_in_years_or_never_is_not_estimated() -> None:
    closed = WindowState(open=False, next_change=None)
    assert ends_at(NOW, [Stretch(1)], 1, 60, lambda _: closed) is None
    assert ends_at(NOW, [Stretch(500)], 1, 3600, nights) is None


def test_the_average_is_of_updates_that_succeeded() -> None:
    owner = rollout()
    ended = [
        done(owner, instance("a"), 0, "succeeded"),  # two minutes
        done(owner, instance("b"), 1, "succeeded", started_at=NOW - timedelta(minutes=5)),
        done(owner, instance("c"), 2, "failed", started_at=NOW - timedelta(hours=9)),
        target(owner, instance("d"), 3),
    ]
    assert observe(ended) == Observed(seconds=180, number=2)
    assert observe(ended[2:]) is None


def test_only_the_newest_updates_count() -> None:
    owner = rollout()

    def took(order: int, seconds: float, ago: timedelta) -> RolloutTarget:
        end = NOW - ago
        times = {"started_at": end - timedelta(seconds=seconds), "completed_at": end}
        return done(owner, instance(f"i{order}"), order, "succeeded", **times)

    old = [took(n, 1000, timedelta(days=30)) for n in range(5)]
    new = [took(n, 10, timedelta(hours=n)) for n in range(REMEMBERED)]
    assert observe([*new, *old]) == Observed(seconds=10, number=REMEMBERED)
