"""Attempts get rarer, are spread, and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydracore_core.notifications.schedule import GIVE_UP_AFTER, OFFSETS_SECONDS, next_attempt

MADE = datetime(2030, 1, 1, tzinfo=UTC)


def after(seconds: float, jitter: float = 0.0) -> float | None:
    found = next_attempt(MADE, MADE + timedelta(seconds=seconds), jitter)
    return None if found is None else (found - MADE).total_seconds()


@pytest.mark.parametrize(
    ("age", "again"), [(0, 5), (15, 25), (25, 105), (6825, 21225), (64425, 78825)]
)
def test_the_gaps_grow(age: float, again: float) -> None:
    assert after(age) == again


def test_after_the_last_attempt_it_is_given_up() -> None:
    assert after(78825) is None
    assert after(86401) is None


def attempts(jitter: float, took: float) -> list[float]:
    """Return when attempts are made that all fail after ``took`` seconds."""
    found, at = [0.0], after(took, jitter)
    while at is not None:
        found.append(at)
        at = after(at + took, jitter)
    return found


@given(jitter=st.floats(0, 1, exclude_max=True), took=st.floats(0, 60))
def test_whatever_happens_attempts_are_bounded(jitter: float, took: float) -> None:
    made = attempts(jitter, took)
    assert len(made) <= len(OFFSETS_SECONDS) == 12
    assert made == sorted(set(made))
    assert made[-1] < GIVE_UP_AFTER.total_seconds()
    assert made[-1] >= OFFSETS_SECONDS[-1]


def test_what_failed_together_is_spread() -> None:
    assert after(1705, 0.0) == 6825
    assert after(1705, 0.5) == 6825 + 0.125 * 14400
