"""How the cases are chosen, and what their figures say about the aims."""

from __future__ import annotations

from typing import Any

import pytest

from bench.rollout.main import judge, limit


def _row(**changes: Any) -> dict[str, Any]:
    size = {"name": "push-bound", "n": 2000, "max_parallel": 200, "order_s": 5.0}
    found = {"lower_bound_s": 50.0, "ratio": 0.91, "writes_per_target": 3.1}
    return {**size, **found, "idle_slot_time": 0.01, **changes}


def test_a_tenth_and_at_most_200_are_in_flight() -> None:
    assert [limit(n) for n in (5, 60, 2000, 10_000)] == [1, 6, 200, 200]


def test_a_case_is_judged_by_bound_writes_and_idle_slots() -> None:
    assert judge(_row()) == (
        "push-bound: ratio 0.91 reaches the aim of 0.9; "
        "3.1 writes per target reaches the aim of 3.1; "
        "idle slot time 0.01 reaches the aim of 0.01"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ratio": 0.89}, "ratio 0.89 MISSES the aim of 0.9"),
        ({"writes_per_target": 3.11}, "3.11 writes per target MISSES the aim of 3.1"),
        ({"idle_slot_time": 0.0101}, "idle slot time 0.0101 MISSES the aim of 0.01"),
    ],
)
def test_what_misses_its_aim_is_named(change: dict[str, float], said: str) -> None:
    assert said in judge(_row(**change))


def test_idle_slots_are_not_judged_where_the_writes_are_the_bound() -> None:
    row = _row(name="write-bound", order_s=0.2, lower_bound_s=16.4, idle_slot_time=0.9)
    assert "idle" not in judge(row)
