"""The two hours of ``maintenanceWindow``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydracore_core.windows import window_state
from hydracore_crds import UpdatePolicy
from tests.core.windows.policies import policy

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def window(start: int, end: int) -> UpdatePolicy:
    return policy(hours=(start, end))


def clock(text: str, day: int = 0) -> datetime:
    hour, minute, second = (int(part) for part in text.split(":"))
    return DAY + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


@pytest.mark.parametrize(
    ("start", "end", "now", "is_open", "change"),
    [
        (2, 5, "01:59:59", False, clock("02:00:00")),
        (2, 5, "02:00:00", True, clock("05:00:00")),
        (2, 5, "04:59:59", True, clock("05:00:00")),
        (2, 5, "05:00:00", False, clock("02:00:00", 1)),
        (22, 4, "21:59:59", False, clock("22:00:00")),
        (22, 4, "22:00:00", True, clock("04:00:00", 1)),
        (22, 4, "00:00:00", True, clock("04:00:00")),
        (22, 4, "03:59:59", True, clock("04:00:00")),
        (22, 4, "04:00:00", False, clock("22:00:00")),
        (21, 5, "23:30:00", True, clock("05:00:00", 1)),
        (23, 0, "23:59:59", True, clock("00:00:00", 1)),
        (23, 0, "00:00:00", False, clock("23:00:00")),
        (0, 23, "23:00:00", False, clock("00:00:00", 1)),
    ],
)
def test_edges(start: int, end: int, now: str, *, is_open: bool, change: datetime) -> None:
    state = window_state(window(start, end), clock(now))
    assert (state.open, state.next_change) == (is_open, change)


@pytest.mark.parametrize("always", [None, policy(), window(0, 0), window(17, 17)])
def test_absent_and_equal_hours_are_always_open(always: UpdatePolicy | None) -> None:
    state = window_state(always, clock("17:00:00"))
    assert state.open
    assert state.next_change is None


def test_the_hour_is_that_of_utc_whatever_the_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # The night in which clocks go forward: 01:59 is followed by 03:00, UTC goes on evenly.
    before = datetime(2026, 3, 29, 1, 59, 59, tzinfo=berlin)
    after = datetime(2026, 3, 29, 3, 0, 0, tzinfo=berlin)
    assert not window_state(window(1, 2), before).open
    assert window_state(window(1, 2), after).open
    assert window_state(window(1, 2), before).next_change == after
    # The hour that comes twice in autumn is two different hours in UTC.
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    assert not window_state(window(1, 2), first).open
    assert window_state(window(1, 2), first.replace(fold=1)).open


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        window_state(window(1, 2), datetime(2026, 3, 2, 1))  # noqa: DTZ001


@given(
    start=st.integers(0, 23),
    end=st.integers(0, 23),
    now=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_nothing_changes_before_the_next_change(start: int, end: int, now: datetime) -> None:
    found = window_state(window(start, end), now)
    if found.next_change is None:
        assert start == end
        return
    assert now < found.next_change <= now + timedelta(days=1)
    just_before = found.next_change - timedelta(microseconds=1)
    assert window_state(window(start, end), just_before).open == found.open
    assert window_state(window(start, end), found.next_change).open != found.open
