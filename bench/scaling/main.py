"""What a rollout costs as the fleet grows: HydraCore's own, at several sizes, and a picture of it.

Each size is a run of the benchmark ``rollout`` with a control plane of its own. Writes
``.hydracore/bench/scaling.json`` and the picture ``docs/scaling.png``; with ``--out`` both go
there, and with ``--quick`` the picture stays with the figures.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import packages, results
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.progress import Progress

SIZES = (500, 1000, 2000, 5000, 10_000)
QUICK = (20, 40)
CASE = "write-bound"
LINEAR = 1.1
"""The largest exponent that still counts as linear."""


def main(args: argparse.Namespace) -> None:
    project = find_project()
    folder = packages.provide(project, Progress(sys.stderr))
    found: dict[str, Any] = {"case": CASE, "sizes": []}
    for n in QUICK if args.quick else SIZES:
        print(f"-- {n} targets", flush=True)
        one, found["machine"] = _rollout(n, quick=args.quick)
        found["sizes"].append(one)
    found["exponents"] = exponents(found["sizes"])
    path = results.write("scaling", found, args.out)
    here = args.out is None and not args.quick
    picture = project.root / "docs" / "scaling.png" if here else path.with_suffix(".png")
    subprocess.run(
        [sys.executable, "-m", "bench.scaling.plot", str(path), str(picture)],
        cwd=project.root,
        env={"PYTHONPATH": packages.python_path(project, folder), "HOME": str(path.parent)},
        check=True,
    )
    notes = [*_judged(found["exponents"]), f"written to {path}", f"drawn in {picture}"]
    results.show(f"{CASE}, by the number of targets", found["sizes"], notes)


def _rollout(n: int, *, quick: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run one size in a process of its own; return its figures and the machine's."""
    with tempfile.TemporaryDirectory(prefix="hydracore-scaling-") as folder:
        argv = ["rollout", "--case", CASE, "--targets", str(n), "--no-restart"]
        argv += ["--out", folder, "--here", *(["--quick"] if quick else [])]
        subprocess.run([sys.executable, "-m", "bench", *argv], check=True)
        found = json.loads((Path(folder) / "rollout.json").read_text())
    return figures(found), found["machine"]


def figures(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a size is judged by, from what the benchmark ``rollout`` wrote."""
    (row,) = found["cases"]
    return {
        "n": row["n"],
        "max_parallel": row["max_parallel"],
        "makespan_s": row["makespan_s"],
        "lower_bound_s": row["lower_bound_s"],
        "ratio": row["ratio"],
        "idle_slot_time": row["idle_slot_time"],
        "writes_per_target": row["writes_per_target"],
        "cpu_s": row["operator_cpu_s"],
        "cpu_ms_per_target": round(1000 * row["operator_cpu_s"] / row["n"], 2),
        "peak_rss_mb": row["operator_peak_rss_mb"],
    }


def exponents(sizes: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return with which power of N makespan and CPU time grow; 1 is linear."""
    return {
        key: round(exponent([(one["n"], one[key]) for one in sizes]), 3)
        for key in ("makespan_s", "cpu_s")
    }


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line through the logarithms (least squares).

    Args:
        points: At least two, of positive numbers, with different first ones.
    """
    logs = [(math.log(x), math.log(y)) for x, y in points]
    x_mean = sum(x for x, _ in logs) / len(logs)
    y_mean = sum(y for _, y in logs) / len(logs)
    spread = sum((x - x_mean) ** 2 for x, _ in logs)
    return sum((x - x_mean) * (y - y_mean) for x, y in logs) / spread


def _judged(found: dict[str, float]) -> list[str]:
    return [
        f"{key} grows with the power {power} of N: "
        f"{'linear' if power <= LINEAR else 'MORE than linear'}"
        for key, power in found.items()
    ]
