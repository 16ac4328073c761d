"""From what people wrote in a policy to windows that can be asked; and what is wrong with it.

Fails closed: a window that cannot be evaluated never counts as open if it allows, and always if it
denies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from hydracore_core.windows.recurrence import Always, Recurrence, Times
from hydracore_core.windows.schedules import InvalidScheduleError, read
from hydracore_core.windows.zones import UnknownZoneError, zone
from hydracore_crds.policy_window import PolicyWindow, WindowKind, duration_of

_DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a window cannot be evaluated.

    Attributes:
        index: The window's place in the list.
        field: The attribute of :class:`~hydracore_crds.policy_window.PolicyWindow`.
        text: What is wrong and what to do.
    """

    index: int
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """A window that can be asked.

    Attributes:
        label: How texts name it, for instance ``allow window 'nights'``; empty for the two hours of
            ``maintenanceWindow``, which need no name.
        kind: Whether it allows or denies.
        times: When it is open; None if it cannot be evaluated.
    """

    label: str
    kind: WindowKind
    times: Times | None


def compile_window(index: int, window: PolicyWindow) -> tuple[Window, list[Problem]]:
    """Make a window that can be asked, and say what is wrong with it.

    Args:
        index: Its place in the list.
        window: What people wrote.
    """
    found: list[Problem] = []
    schedule = where = length = None
    try:
        schedule = read(window.schedule)
    except InvalidScheduleError as error:
        found.append(Problem(index, "schedule", str(error)))
    try:
        where = zone(window.time_zone)
    except UnknownZoneError as error:
        found.append(Problem(index, "time_zone", str(error)))
    try:
        length = duration_of(window.duration)
    except ValueError as error:
        found.append(Problem(index, "duration", f"{window.duration!r}: {error}"))
    times = None
    if schedule is not None and where is not None and length is not None:
        times = Recurrence(schedule, where, length)
    return Window(_label(index, window), window.kind, times), found


def compile_hours(start: int, end: int) -> Window:
    """Make the allow window that ``maintenanceWindow`` stands for (hours of the UTC day)."""
    if start == end:
        return Window("", "allow", Always())
    length = timedelta(hours=(end - start) % _DAY_HOURS)
    return Window("", "allow", Recurrence(read(f"0 {start} * * *"), UTC, length))


def problems(windows: Sequence[PolicyWindow]) -> list[Problem]:
    """Return everything for which windows cannot be evaluated; empty if they all can be."""
    return [
        problem
        for index, window in enumerate(windows)
        for problem in compile_window(index, window)[1]
    ]


def _label(index: int, window: PolicyWindow) -> str:
    """Name a window: as people do, else by its place and schedule."""
    if window.name is not None:
        return f"{window.kind} window '{window.name}'"
    return f"{window.kind} window {index + 1} ({window.schedule})"
