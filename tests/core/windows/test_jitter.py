from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hydracore_core.windows import window_state
from tests.core.windows.policies import allow, deny, policy, utc

OPENS = utc("2026-06-01 22:00")
HOUR = timedelta(hours=1)


def begins(
    *windows: object, uid: str = "one tenant", jitter: int = 1800, now: datetime = OPENS
) -> datetime:
    """Return when a tenant begins whose window is about to open."""
    made = policy(*windows, jitter=jitter, uid=uid)  # type: ignore[arg-type]
    found = window_state(made, now - timedelta(seconds=1))
    assert not found.open
    assert found.next_change is not None
    return found.next_change


def test_tenants_begin_at_different_moments_within_the_jitter() -> None:
    nights = allow("0 22 * * *", "6h")
    found = [begins(nights, uid=f"tenant {n}") - OPENS for n in range(200)]
    assert min(found) >= timedelta()
    assert max(found) <= timedelta(seconds=1800)
    assert len(set(found)) > 150
    assert sum(delay < timedelta(seconds=900) for delay in found) in range(70, 130)


def test_a_tenant_begins_at_the_same_moment_whenever_it_is_asked() -> None:
    nights = allow("0 22 * * *", "6h")
    first = begins(nights)
    assert begins(nights, now=OPENS - 3 * HOUR) == first
    made = policy(nights, jitter=1800)
    assert not window_state(made, first - timedelta(seconds=1)).open
    assert window_state(made, first).open
    assert window_state(made, first).next_change == OPENS + 6 * HOUR
    text = f"{first:%Y-%m-%d %H:%M:%SZ}"
    assert window_state(made, OPENS).why == (
        "the maintenance window is open (allow window 1 (0 22 * * *)); "
        f"by openingJitterSeconds this tenant begins at {text}"
    )


def test_every_opening_has_a_delay_of_its_own() -> None:
    nights = allow("0 22 * * *", "6h")
    found = {begins(nights, now=OPENS + n * 24 * HOUR) - OPENS - n * 24 * HOUR for n in range(9)}
    assert len(found) > 5


def test_the_end_of_a_deny_window_is_an_opening_too() -> None:
    lunch = deny("0 21 * * *", "1h")
    found = {begins(lunch, uid=f"tenant {n}") for n in range(9)}
    assert len(found) > 5


def test_a_window_that_follows_another_without_a_gap_does_not_open() -> None:
    made = policy(allow("0 20 * * *", "2h"), allow("0 22 * * *", "2h"), jitter=3600)
    assert window_state(made, OPENS).open


@pytest.mark.parametrize("uid", ["a", "b", "c", "d", "e"])
def test_half_of_a_short_window_is_left_to_everybody(uid: str) -> None:
    short = allow("0 22 * * *", "10m")
    assert begins(short, uid=uid, jitter=3600) <= OPENS + timedelta(minutes=5)


def test_without_jitter_the_window_opens_for_everybody_at_once() -> None:
    assert begins(allow("0 22 * * *", "6h"), jitter=0) == OPENS
