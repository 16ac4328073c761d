"""The benchmarks still run, each in its quick form: its form and its oracle, not its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import BENCHES
from bench.peers.contenders import CONTENDERS
from bench.peers.report import OURS, Row
from bench.rollout.case import Result
from bench.scaling.main import QUICK as SIZES_OF_QUICK
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.layout import ProjectLayout

pytestmark = pytest.mark.first

MINUTES = 8
PNG = b"\x89PNG\r\n\x1a\n"


def _run(project: ProjectLayout, folder: Path, *words: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "bench", *words, "--quick", "--out", str(folder)]
    done = subprocess.run(
        argv, cwd=project.root, capture_output=True, text=True, timeout=MINUTES * 60, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    found: dict[str, Any] = json.loads((folder / f"{words[0]}.json").read_text())
    return found


def _assert_idle_fits_orders(row: dict[str, Any], starting_s: float, mean_order_s: float) -> None:
    """Hold the share against the orders' own times, which are summed up apart from it.

    When the last order came, all but those in flight had ended; and no order took more than it did.
    """
    assert 0 <= row["idle_slot_time"] < 1
    busy_s = (1 - row["idle_slot_time"]) * row["max_parallel"] * starting_s
    ended_s = (row["n"] - row["max_in_flight"]) * row["order_s"]
    assert 0.99 * ended_s <= busy_s <= 1.01 * row["n"] * mean_order_s


def test_a_rollout_is_measured_with_exactly_the_fields_that_are_promised(
    project: ProjectLayout, assets: Assets, tmp_path: Path
) -> None:
    found = _run(project, tmp_path, "rollout", "--case", "write-bound")
    (row,) = found["cases"]
    assert set(row) == {
        "name",
        "n",
        "max_parallel",
        "order_s",
        "makespan_s",
        "lower_bound_s",
        "ratio",
        "writes_per_target",
        "operator_cpu_s",
        "operator_peak_rss_mb",
        "max_in_flight",
        "idle_slot_time",
    }
    assert set(row) == set(Result.__dataclass_fields__)
    assert 1 <= row["max_in_flight"] <= row["max_parallel"]
    assert row["makespan_s"] >= row["n"] / row["max_parallel"] * row["order_s"]
    assert row["ratio"] == pytest.approx(row["lower_bound_s"] / row["makespan_s"], abs=0.002)
    assert row["writes_per_target"] >= 3
    assert row["operator_cpu_s"] > 0
    assert found["restart"]["instances"] == row["n"]
    beside = found["beside"]["write-bound"]
    _assert_idle_fits_orders(row, beside["starting_s"], beside["mean_order_s"])


def test_rest_is_measured_against_both_others(
    project: ProjectLayout, assets: Assets, tmp_path: Path
) -> None:
    found = _run(project, tmp_path, "rest")
    assert set(found["ratios"]) == {"instance", "list of 100"}
    assert {row["who"] for row in found["contenders"]} == {"HydraCore", "bare app", "API server"}
    assert all(row["per_s"] > 0 for row in found["contenders"])


def test_hydracore_and_all_peers_do_the_same_rollout_exactly_once(
    project: ProjectLayout, assets: Assets, tmp_path: Path
) -> None:
    found = _run(project, tmp_path, "peers", "--case", "write-bound")
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {OURS, *CONTENDERS}
    for name, row in rows.items():
        assert set(row) == set(Row.__dataclass_fields__)
        assert row["exactly_once"], name
        assert 1 <= row["max_in_flight"] <= row["max_parallel"], name
        assert row["cpu_s"] > 0, name
        assert row["peak_rss_mb"] > 5, name
        writes = name != "bare_loop"
        assert row["stored"] == (row["n"] if writes else 0), name
        assert (row["writes_per_target"] >= 3) == writes, name
        assert (row["broker_peak_rss_mb"] > 0) == (name == "celery_redis"), name
        beside = found["beside"]["write-bound"]
        _assert_idle_fits_orders(row, beside["starting_s"][name], beside["mean_order_s"][name])
    assert len({row["lower_bound_s"] for row in rows.values()}) == 1
    assert any("CPU / controller_runtime's" in said for said in found["verdicts"])


def test_growth_is_measured_and_drawn(
    project: ProjectLayout, assets: Assets, tmp_path: Path
) -> None:
    found = _run(project, tmp_path, "scaling")
    assert [one["n"] for one in found["sizes"]] == list(SIZES_OF_QUICK)
    assert all(0 <= one["idle_slot_time"] < 1 for one in found["sizes"])
    assert found["exponents"].keys() == {"makespan_s", "cpu_s"}
    assert (tmp_path / "scaling.png").read_bytes().startswith(PNG)


def test_an_unknown_peer_is_named_with_those_that_exist(project: ProjectLayout) -> None:
    argv = [sys.executable, "-m", "bench", "peers", "--peer", "nonsense"]
    done = subprocess.run(argv, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert all(name in done.stderr for name in (OURS, *CONTENDERS))


def test_an_unknown_benchmark_is_named_with_those_that_exist(project: ProjectLayout) -> None:
    argv = [sys.executable, "-m", "bench", "nonsense"]
    done = subprocess.run(argv, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name in done.stderr for name in BENCHES)
