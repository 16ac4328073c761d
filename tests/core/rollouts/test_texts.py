from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hydracore_core.rollouts.texts import at, count, lasting, listed


def test_times_are_short_and_in_utc() -> None:
    assert at(datetime(2026, 3, 1, 22, tzinfo=UTC)) == "2026-03-01 22:00Z"
    assert at(datetime(2026, 3, 1, 22, 0, 7, tzinfo=UTC)) == "2026-03-01 22:00:07Z"
    east = timezone(timedelta(hours=2))
    assert at(datetime(2026, 3, 2, 0, 30, tzinfo=east)) == "2026-03-01 22:30Z"


def test_numbers_agree_with_their_nouns() -> None:
    assert [count(n, "target") for n in (0, 1, 2)] == ["0 targets", "1 target", "2 targets"]


def test_long_lists_are_cut() -> None:
    assert listed(["b", "a"]) == "a, b"
    assert listed(["d", "c", "b", "a"]) == "a, b, c and 1 more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (119, "119 s"),
        (120, "2 min"),
        (121, "3 min"),
        (3600, "1 h"),
        (5430, "1 h 31 min"),
    ],
)
def test_what_something_needs_is_never_rounded_down(seconds: float, text: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == text
