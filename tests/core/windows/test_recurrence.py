"""One window around changes of the clocks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hydracore_core.windows.recurrence import Recurrence
from hydracore_core.windows.schedules import read
from hydracore_core.windows.zones import zone
from tests.core.windows.policies import BERLIN, utc


def recurrence(schedule: str, minutes: int, where: str = BERLIN) -> Recurrence:
    return Recurrence(read(schedule), zone(where), timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("schedule", "where", "since", "opens"),
    [
        # Clocks go from 02:00 to 03:00: the first instant after the gap is 03:00 summer time.
        ("30 2 * * *", BERLIN, "2026-03-28 12:00", "2026-03-29 01:00"),
        ("0 3 * * *", BERLIN, "2026-03-28 12:00", "2026-03-29 01:00"),
        ("30 1 * * *", BERLIN, "2026-03-28 12:00", "2026-03-29 00:30"),
        # The day lacks its first hour.
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00", "2018-11-04 03:00"),
        ("0 */12 * * *", "America/Sao_Paulo", "2018-11-03 16:00", "2018-11-04 03:00"),
        # Half an hour is skipped.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "2026-10-03 15:30"),
        # Samoa left a day out.
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-29 12:00", "2011-12-30 10:00"),
        # 02:30 comes twice; only the first counts.
        ("30 2 * * *", BERLIN, "2026-10-24 12:00", "2026-10-25 00:30"),
        ("30 2 * * *", BERLIN, "2026-10-25 00:30", "2026-10-26 01:30"),
        ("30 2 * * *", BERLIN, "2026-10-25 01:15", "2026-10-26 01:30"),
        # Every hour means every hour that passes.
        ("30 * * * *", BERLIN, "2026-10-25 00:30", "2026-10-25 01:30"),
        ("30 * * * *", BERLIN, "2026-03-29 00:30", "2026-03-29 01:30"),
        # Half an off hour from UTC, without any change.
        ("0 22 * * *", "Asia/Kolkata", "2026-03-28 12:00", "2026-03-28 16:30"),
    ],
)
def test_openings(schedule: str, where: str, since: str, opens: str) -> None:
    window = recurrence(schedule, 10, where)
    assert window.opens_after(utc(since)) == utc(opens)
    just_open = utc(opens) + timedelta(minutes=9)
    assert window.covers_until(just_open) == utc(opens) + timedelta(minutes=10)
    assert window.covers_until(utc(opens) + timedelta(minutes=10)) is None


def test_a_duration_is_elapsed_time() -> None:
    night = recurrence("0 22 * * *", 8 * 60)
    # 22:00 winter time to 07:00 summer time, and 22:00 summer time to 05:00 winter time.
    assert night.covers_until(utc("2026-03-28 22:00")) == utc("2026-03-29 05:00")
    assert night.covers_until(utc("2026-10-24 22:00")) == utc("2026-10-25 04:00")


@pytest.mark.parametrize("second", ["01:15", "01:30", "01:45"])
def test_in_the_repeated_hour_the_window_of_the_first_is_still_known(second: str) -> None:
    window = recurrence("30 2 * * *", 120)
    assert window.covers_until(utc(f"2026-10-25 {second}")) == utc("2026-10-25 02:30")


def test_the_newest_opening_decides_where_openings_overlap() -> None:
    assert recurrence("*/5 * * * *", 12).covers_until(utc("2026-06-01 00:07")) == utc(
        "2026-06-01 00:17"
    )


def test_fractions_of_a_second_are_no_matter() -> None:
    window = recurrence("0 22 * * *", 10, "Etc/UTC")
    almost = utc("2026-06-01 21:59:59.999999")
    assert window.covers_until(almost) is None
    assert window.opens_after(almost) == utc("2026-06-01 22:00")
    assert window.covers_until(utc("2026-06-01 22:00:00.5")) == utc("2026-06-01 22:10")
    assert window.covers_until(utc("2026-06-01 22:09:59.999999")) is not None


def test_a_day_that_the_clocks_skip_does_not_stop_the_search() -> None:
    """Samoa had no 30 December 2011; backwards cronsim looks for its hours for ever."""
    fridays = recurrence("0 * * * FRI", 60, "Pacific/Apia")
    sunday = utc("2012-01-01 05:00")
    assert fridays.covers_until(sunday) is None
    assert fridays.opens_after(sunday) == utc("2012-01-05 10:00")
