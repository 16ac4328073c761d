"""Results: a JSON file for programs, a table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hydracore_devcluster.layout import find_project

DIGITS = 3
FINER = {"idle_slot_time": 4}
"""Shares whose aim is a hundredth."""


def entry(measured: Any) -> dict[str, Any]:
    """Return a dataclass of figures as a JSON object, its floats rounded."""
    return {
        key: round(value, FINER.get(key, DIGITS)) if isinstance(value, float) else value
        for key, value in asdict(measured).items()
    }


def write(name: str, result: dict[str, Any], folder: Path | None = None) -> Path:
    """Write ``<name>.json`` into a folder (``.hydracore/bench`` by default); return its path."""
    path = (folder or find_project().root / ".hydracore" / "bench") / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path


def show(title: str, rows: Sequence[dict[str, Any]], notes: Sequence[str] = ()) -> None:
    """Print rows that share their keys as a table, and notes below it."""
    table = Table(title=title, title_justify="left")
    for key in rows[0]:
        table.add_column(key, justify="left" if isinstance(rows[0][key], str) else "right")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    console = Console(width=220, highlight=False)
    console.print(table)
    for note in notes:
        console.print(note)


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value}"
