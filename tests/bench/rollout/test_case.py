"""What a rollout is held against, and how full its slots were."""

from __future__ import annotations

import pytest

from bench.rollout.case import Case, idle_slot_time


def _counted(slot_seconds: float, seconds: float) -> dict[str, float]:
    return {"startingSlotSeconds": slot_seconds, "startingSeconds": seconds}


def test_the_lower_bound_is_the_slower_of_slots_and_writes() -> None:
    assert Case("x", 2000, 200, 5.0).lower_bound(1000) == 50
    assert Case("x", 2000, 200, 0.2).lower_bound(1000) == 6
    assert Case("x", 2001, 200, 5.0).lower_bound(1000) == 55


@pytest.mark.parametrize(
    ("case", "pushes"),
    [
        (Case("x", 2000, 200, 5.0), True),
        (Case("x", 2001, 200, 5.0), True),
        (Case("x", 2000, 200, 0.2), False),
    ],
)
def test_a_bound_is_of_the_push_or_of_the_writes(case: Case, pushes: bool) -> None:  # noqa: FBT001
    assert case.bound_by_push(round(case.lower_bound(1000), 3)) == pushes


def test_slots_that_always_hold_an_order_are_never_idle() -> None:
    assert idle_slot_time(_counted(90.0, 45.0), slots=2) == 0


def test_idle_slot_time_is_what_is_missing_of_all_slots_over_the_whole_span() -> None:
    assert idle_slot_time(_counted(72.0, 45.0), slots=2) == pytest.approx(0.2)


def test_where_no_target_waited_no_slot_was_idle() -> None:
    assert idle_slot_time(_counted(0.0, 0.0), slots=2) == 0
