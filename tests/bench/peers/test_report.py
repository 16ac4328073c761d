"""What is read out of trials, and what the rows say about the aims."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from bench.machine import Usage
from bench.peers.arena import Trial
from bench.peers.report import Row, row, verdicts
from bench.rollout.case import Case

N = 100
CASE = Case("write-bound", N, 10, 0.2)
ORACLE: dict[str, Any] = {
    "activations": N,
    "activatedInstances": N,
    "orders": N,
    "mostInFlight": 10,
    "startingSeconds": 2.5,
    "startingSlotSeconds": 18.0,
}


def trial(name: str = "celery_redis", **changes: Any) -> Trial:
    writes = Counter({"rollouttargets": 3 * N, "rollouts": 10, "instances": N, "events": 2 * N})
    used = {"workers": Usage(cpu_s=2.0, peak_rss_mb=150), "broker": Usage(0.5, 12)}
    found = Trial(name, CASE, 8.0, writes, used, ORACLE, Counter(succeeded=N))
    return replace(found, **changes)


def rows(**makespans_and_cpu: tuple[float, float]) -> list[Row]:
    return [
        row(trial(name, makespan_s=makespan, used={"workers": Usage(cpu, 50)}), rate=50)
        for name, (makespan, cpu) in makespans_and_cpu.items()
    ]


def test_a_row_counts_per_target_and_keeps_the_broker_apart() -> None:
    found = row(trial(), rate=50)
    assert found.lower_bound_s == 6  # 3 writes for each of 100 targets, 50 a second
    assert found.ratio == 0.75
    assert found.writes_per_target == 5.1  # targets, Rollout and events; Instances are not of it
    assert found.all_writes_per_target == 6.1
    assert (found.cpu_s, found.cpu_ms_per_target, found.peak_rss_mb) == (2.0, 20, 150)
    assert (found.broker_cpu_ms_per_target, found.broker_peak_rss_mb) == (5, 12)
    assert found.idle_slot_time == pytest.approx(0.28)  # 18 s of 2.5 s in 10 slots
    assert found.exactly_once
    assert found.stored == N


def test_an_entry_keeps_four_digits_of_idle_slot_time_and_three_of_all_else() -> None:
    entry = replace(row(trial(), rate=50), ratio=0.12345, idle_slot_time=0.01234).entry()
    assert (entry["ratio"], entry["idle_slot_time"]) == (0.123, 0.0123)


def test_who_has_no_broker_has_nothing_there() -> None:
    found = row(trial(used={"workers": Usage(2.0, 150)}), rate=50)
    assert (found.broker_cpu_ms_per_target, found.broker_peak_rss_mb) == (0, 0)


@pytest.mark.parametrize(
    "counts",
    [
        {"orders": N + 1},
        {"activations": N - 1, "activatedInstances": N - 1},
        {"activations": N + 1, "orders": N + 1},
    ],
)
def test_an_order_too_many_and_one_too_few_are_both_told(counts: dict[str, int]) -> None:
    found = row(trial(oracle={**ORACLE, **counts}), rate=50)
    assert not found.exactly_once
    (said,) = verdicts([found])
    assert said.startswith("write-bound: celery_redis sent ")


def test_a_broken_limit_and_lost_results_are_told() -> None:
    over = row(trial(oracle={**ORACLE, "mostInFlight": 11}), rate=50)
    lost = row(trial("kopf_tutorial", stored=Counter(succeeded=N - 1, failed=1)), rate=50)
    assert verdicts([over, lost]) == [
        "write-bound: celery_redis had 11 orders in flight of 10",
        "write-bound: kopf_tutorial stored 99 of 100 results",
    ]


def test_who_writes_nothing_loses_no_results() -> None:
    assert verdicts([row(trial("bare_loop", writes=Counter(), stored=Counter()), rate=50)]) == []


def test_hydracore_is_judged_by_its_bound_the_go_controller_and_the_slow_ones() -> None:
    found = rows(
        hydracore=(6.5, 3.0),
        controller_runtime=(6.2, 2.0),
        kopf_tutorial=(26.0, 9.0),
        celery_redis=(13.0, 9.0),
        bare_loop=(2.0, 0.1),
    )
    assert verdicts(found) == [
        "write-bound: bound / makespan = 0.92 reaches the aim of 0.9",
        "write-bound: CPU / controller_runtime's = 1.50 reaches the aim of 2.0",
        "write-bound: makespan of kopf_tutorial / ours = 4.00 reaches the aim of 3.0",
        "write-bound: makespan of celery_redis / ours = 2.00 MISSES the aim of 3.0",
    ]


def test_where_the_push_is_the_bound_nobody_must_be_slower_than_hydracore() -> None:
    found = [
        replace(one, case="push-bound", order_s=5.0, lower_bound_s=50.0, ratio=0.5)
        for one in rows(hydracore=(100.0, 6.0), kopf_tutorial=(110.0, 9.0))
    ]
    assert verdicts(found) == [
        "push-bound: bound / makespan = 0.50 MISSES the aim of 0.9",
        "push-bound: idle slot time = 0.2800 MISSES the aim of 0.01",
    ]


@pytest.mark.parametrize(("share", "word"), [(0.01, "reaches"), (0.0102, "MISSES")])
def test_a_hundredth_of_slot_time_may_be_idle(share: float, word: str) -> None:
    (ours,) = rows(hydracore=(100.0, 6.0))
    push = replace(ours, case="push-bound", order_s=5.0, lower_bound_s=50.0, idle_slot_time=share)
    assert f"push-bound: idle slot time = {share:.4f} {word} the aim of 0.01" in verdicts([push])
