"""A rollout's view as a table for a terminal, or as lines for a log."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from hydracore_cli.output import describe_seconds
from hydracore_cli.watch.view import RolloutView, TargetView, WaveView

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "uncertain": "yellow",
    "in_progress": "cyan",
    "paused": "yellow",
    "cancelled": "dim",
}
MAX_SHOWN = 40
"""Rows of a table; of the others only their number is shown."""
_INTERESTING = ("failed", "uncertain", "in_progress", "queued", "succeeded", "cancelled")


def summary(view: RolloutView) -> str:
    """Return the rollout in one line."""
    counts = ", ".join(
        f"{number} {name.replace('_', ' ')}"
        for name, number in view.counts.items()
        if name != "total"
    )
    total = view.counts.get("total", len(view.targets))
    paused = f" (paused by {view.paused_by})" if view.paused_by and not view.final else ""
    shown = view.state.replace("_", " ")
    return f"{view.name} -> {view.bundle}: {shown}{paused}; {counts or 'no targets yet'} of {total}"


def table(view: RolloutView) -> Group:
    """Return the rollout as a table; with many targets, those that need a look come first."""
    rows = list(view.targets)
    if len(rows) > MAX_SHOWN:
        rows.sort(key=lambda row: _INTERESTING.index(row.state))
    found = Table(box=box.SIMPLE_HEAD)
    for column in ("Instance", "State", "Attempt", "Time", "Result"):
        found.add_column(column)
    for row in rows[:MAX_SHOWN]:
        found.add_row(
            Text(row.instance),
            Text(row.state.replace("_", " "), style=STYLES.get(row.state, "")),
            str(row.attempt),
            describe_seconds(row.seconds) if row.seconds is not None else "-",
            Text(row.said),
        )
    parts = [_folded(summary(view), "bold"), *map(_folded, map(_wave_line, view.waves)), found]
    if len(rows) > MAX_SHOWN:
        parts.append(_folded(f"and {len(rows) - MAX_SHOWN} more"))
    if view.halt_reason or view.message:
        parts.append(_folded(view.halt_reason or view.message))
    return Group(*parts)


def _folded(text: str, style: str = "") -> Table:
    """Return text that is broken at the terminal's edge, also where lines of text are not."""
    grid = Table.grid()
    grid.add_column(overflow="fold")
    grid.add_row(Text(text, style=style))
    return grid


def changes(before: RolloutView | None, after: RolloutView) -> list[str]:
    """Return what happened between two views, a line each; everything where there was none."""
    lines = []
    known = {row.instance: row for row in before.targets} if before is not None else {}
    for row in after.targets:
        old = known.get(row.instance)
        if (old is None and row.state != "queued") or (
            old is not None and (old.state, old.attempt) != (row.state, row.attempt)
        ):
            lines.append(f"{row.instance}: {_said(row)}")
    told = before.waves if before is not None else ()
    for number, wave in enumerate(after.waves):
        stood = told[number].state if number < len(told) else "waiting"
        if wave.state != stood:
            lines.append(_wave_line(wave))
    headline = _headline(after)
    if before is None or _headline(before) != headline:
        lines.append(headline)
    return lines


def _wave_line(wave: WaveView) -> str:
    return f"{wave.called}: {wave.state.replace('_', ' ')} ({wave.said})"


def _headline(view: RolloutView) -> str:
    # Counts change with every target and are said by the targets' own lines.
    paused = f", paused by {view.paused_by}" if view.paused_by and not view.final else ""
    said = f": {view.halt_reason}" if view.halt_reason else ""
    return f"rollout {view.name} is {view.state.replace('_', ' ')}{paused}{said}"


def _said(row: TargetView) -> str:
    ended = row.state not in ("queued", "in_progress")
    took = f" after {describe_seconds(row.seconds)}" if ended and row.seconds is not None else ""
    attempt = f" (attempt {row.attempt})" if row.attempt > 1 else ""
    why = f": {row.said}" if row.said else ""
    return f"{row.state.replace('_', ' ')}{took}{attempt}{why}"
