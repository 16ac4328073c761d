"""How growth is judged."""

from __future__ import annotations

import pytest

from bench.scaling.main import exponent, exponents, figures


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_is_the_power_with_which_something_grows(power: float) -> None:
    points = [(n, 3 * n**power) for n in (500, 1000, 2000, 10_000)]
    assert exponent(points) == pytest.approx(power)


def test_noise_on_both_sides_cancels_out() -> None:
    points = [(100, 110), (100, 90), (1000, 1100), (1000, 900)]
    assert exponent(points) == pytest.approx(1.0)


def test_a_size_is_read_from_what_the_rollout_measured() -> None:
    row = {
        "name": "write-bound",
        "n": 500,
        "max_parallel": 50,
        "order_s": 0.2,
        "makespan_s": 6.0,
        "lower_bound_s": 5.0,
        "ratio": 0.83,
        "writes_per_target": 3.02,
        "operator_cpu_s": 4.5,
        "operator_peak_rss_mb": 170.0,
        "max_in_flight": 50,
        "idle_slot_time": 0.1234,
    }
    one = figures({"cases": [row]})
    assert (one["cpu_ms_per_target"], one["peak_rss_mb"]) == (9.0, 170.0)
    assert one["idle_slot_time"] == 0.1234
    other = {**one, "n": 1000, "makespan_s": 12.0, "cpu_s": 18.0}
    assert exponents([one, other]) == {"makespan_s": 1.0, "cpu_s": 2.0}
