"""Draws what ``python -m bench scaling`` measured: ``plot FIGURES.json PICTURE.png``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

OURS, BOUND = "#1f5fa8", "#999999"
DPI = 120


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw makespan, CPU time and memory over the number of targets."""
    sizes = found["sizes"]
    counts = [one["n"] for one in sizes]
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    time, cpu, memory = figure.subplots(1, 3)
    time.plot(counts, [one["makespan_s"] for one in sizes], "o-", color=OURS, label="makespan")
    bound = [one["lower_bound_s"] for one in sizes]
    time.plot(counts, bound, "s--", color=BOUND, label="lower bound")
    time.legend()
    time.set_ylabel("seconds")
    cpu.plot(counts, [one["cpu_ms_per_target"] for one in sizes], "o-", color=OURS)
    cpu.set_ylabel("CPU ms of the operator per target")
    memory.plot(counts, [one["peak_rss_mb"] for one in sizes], "o-", color=OURS)
    memory.set_ylabel("peak memory of the operator, MB")
    for axes in (time, cpu, memory):
        axes.set_xlabel("targets")
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        axes.grid(alpha=0.3)
    machine = found["machine"]
    figure.suptitle(f"One rollout, {found['case']}, on {machine['cores']} cores")
    figure.savefig(path, dpi=DPI)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
