from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from hydracore_core.platform.freeze import freeze_of
from tests.core.rollouts.builders import NOW, platform


def test_without_a_policy_or_a_freeze_nothing_is_frozen() -> None:
    assert freeze_of(None, NOW) is None
    assert freeze_of(platform(), NOW) is None


def test_a_freeze_without_an_end_says_why() -> None:
    found = freeze_of(platform("an incident"), NOW)
    assert found is not None
    assert (found.why, found.until) == ("the platform is frozen: an incident", None)


def test_its_end_is_exclusive_in_whatever_zone_it_was_written() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    ends = NOW + timedelta(hours=1)
    holiday = platform("a holiday", ends.astimezone(east))
    found = freeze_of(holiday, ends - timedelta(microseconds=1))
    assert found is not None
    assert found.why == "the platform is frozen until 2026-03-01 13:00Z: a holiday"
    assert freeze_of(holiday, ends) is None


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        freeze_of(platform("an incident"), datetime(2026, 3, 1, 12, 0))  # noqa: DTZ001
