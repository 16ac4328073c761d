from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from hydracore_core.windows import ALWAYS_OPEN, WindowState, window_state
from hydracore_core.windows.openings import Opening, first_with, openings
from tests.core.windows.policies import allow, deny, policy

DAY = datetime(2026, 3, 2, tzinfo=UTC)
NIGHTS = policy(allow("0 22 * * *", "2h"), deny("0 23 3 3 *", "30m"))


def clock(text: str, day: int = 0) -> datetime:
    hour, minute = (int(part) for part in text.split(":"))
    return DAY + timedelta(days=day, hours=hour, minutes=minute)


def nights(time: datetime) -> WindowState:
    return window_state(NIGHTS, time)


def test_what_is_left_of_this_opening_comes_first_then_those_that_follow() -> None:
    assert list(islice(openings(clock("22:30"), nights), 4)) == [
        Opening(clock("22:30"), clock("24:00")),
        Opening(clock("22:00", 1), clock("23:00", 1)),
        Opening(clock("23:30", 1), clock("24:00", 1)),
        Opening(clock("22:00", 2), clock("24:00", 2)),
    ]


def test_what_is_always_open_has_one_opening_without_an_end() -> None:
    assert list(openings(DAY, lambda _: ALWAYS_OPEN)) == [Opening(DAY, None)]
    assert list(openings(DAY, lambda _: WindowState(open=False))) == []


@pytest.mark.parametrize(
    ("since", "minutes", "begins"),
    [
        ("12:00", 120, clock("22:00")),
        ("22:30", 90, clock("22:30")),
        ("22:31", 90, clock("22:00", 2)),
        ("22:31", 60, clock("22:31")),
        ("23:30", 60, clock("22:00", 1)),
        ("23:30", 61, clock("22:00", 2)),
        ("12:00", 121, None),
    ],
)
def test_something_begins_where_there_is_time_for_it(
    since: str, minutes: int, begins: datetime | None
) -> None:
    assert first_with(timedelta(minutes=minutes), clock(since), nights) == begins


def test_without_an_end_there_is_time_for_anything() -> None:
    assert first_with(timedelta(days=400), DAY, lambda _: ALWAYS_OPEN) == DAY
