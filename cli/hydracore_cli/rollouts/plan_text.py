"""A plan for people: a table of its waves, and what holds, line by line."""

from __future__ import annotations

from datetime import timedelta

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from hydracore_cli.output import describe_seconds
from hydracore_core.rollouts.preview_model import (
    Estimate,
    PlannedWave,
    RolloutPreview,
    Superseded,
)
from hydracore_core.rollouts.texts import at, count, lasting

SHOWN = 8
"""So many instances of a wave are named; JSON names all."""


def plan_text(plan: RolloutPreview) -> Group:
    """Return the plan for a terminal or a log."""
    told = [
        ("Skipped", _skipped(plan)),
        ("At once", _limits(plan)),
        ("Pace", plan.pace),
        ("Failures", plan.halts),
        ("Retries", plan.retries),
        ("Window", _window(plan)),
        *(("Warning", warning) for warning in plan.warnings),
        ("Waits for", plan.waits_for or "nothing"),
        *(
            ("Takes over", f"{count(o.targets, 'target')} of {o.rollout_name}")
            for o in plan.supersedes
        ),
        ("Ends", _ends(plan.estimate)),
    ]
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for title, text in told:
        grid.add_row(title, Text(text))
    instances = count(plan.total, "instance")
    head = f"{plan.artifact.bundle_name} to {instances} (plan {plan.plan_hash})"
    return Group(Text(head, style="bold"), _waves(plan.waves), grid)


def _superseded(lost: Superseded) -> str:
    return f"{count(lost.targets, 'target')} of {lost.rollout_name}"


def _waves(waves: list[PlannedWave]) -> Table:
    found = Table(box=box.SIMPLE_HEAD)
    for column in ("Wave", "Targets", "Instances, in order", "Before the next wave"):
        found.add_column(column, overflow="fold")
    for wave in waves:
        names = [
            one.instance_name + (f" ({one.state})" if one.state != "queued" else "")
            for one in wave.targets
        ]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        found.add_row(
            f"{wave.number} {wave.name or ''}".strip(),
            str(len(wave.targets)),
            Text(", ".join(names[:SHOWN]) + more),
            Text(_gates(wave)),
        )
    return found


def _gates(wave: PlannedWave) -> str:
    gates = []
    if wave.success_percent is not None:
        gates.append(f"{wave.success_percent}% succeeded")
    if wave.bake_seconds:
        gates.append(f"healthy for {describe_seconds(wave.bake_seconds)}")
    if wave.approval is not None:
        gates.append(f"approved as {wave.approval}")
    return ", ".join(gates) or "-"


def _skipped(plan: RolloutPreview) -> str:
    if not plan.skipped_reasons:
        return "nobody"
    texts = []
    for reason, number in sorted(plan.skipped_reasons.items()):
        names = [one.instance_name for one in plan.skipped if one.reason == reason][:SHOWN]
        more = f" and {number - len(names)} more" if number > len(names) else ""
        texts.append(f"{number} {reason} ({', '.join(names)}{more})")
    return ", ".join(texts)


def _limits(plan: RolloutPreview) -> str:
    limits = plan.limits
    own = f", the rollout's {limits.rollout}" if limits.rollout is not None else ""
    if limits.platform is not None:
        own += f", the platform's {limits.platform}"
    flying = f"{limits.in_flight} of the tenant in flight now"
    return f"{limits.at_once} (the policy's limit is {limits.tenant}{own}; {flying})"


def _window(plan: RolloutPreview) -> str:
    window = plan.window
    state = "open" if window.open else "closed"
    verb = "closes" if window.open else "opens"
    when = f"{verb} at {at(window.changes_at)}" if window.changes_at else f"never {verb}"
    if window.overridden:
        return f"{state}, {when} (overridden)"
    if window.needs_seconds is None or window.changes_at is None:
        return f"{state}, {when}"
    needs = lasting(timedelta(seconds=window.needs_seconds))
    return f"{state}, {when}; what starts must have {needs} left"


def _ends(found: Estimate) -> str:
    notes = "; ".join(found.notes)
    if found.ends_at is None or found.seconds_per_target is None:
        return notes
    each = describe_seconds(found.seconds_per_target)
    return (
        f"about {at(found.ends_at)}, from {each} each (the average of "
        f"{count(found.observed, 'update')}), if: {notes}"
    )
