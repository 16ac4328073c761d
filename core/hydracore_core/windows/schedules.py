"""Schedules: five fields of cron as CronJob knows them, read for the library that runs them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from hydracore_crds.policy_window import (
    MONTHS,
    SCHEDULE_HAS_FIVE_FIELDS,
    SCHEDULE_PATTERN,
    WEEKDAYS,
)

_NAMES = {name: number for number, name in enumerate(WEEKDAYS)} | {
    name: number for number, name in enumerate(MONTHS, start=1)
}
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class InvalidScheduleError(Exception):
    """The schedule cannot be read, or never comes true."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that was found to be good.

    Attributes:
        cron: The expression for :class:`cronsim.CronSim`.
        hourly: It has ``*`` as its hour, and so comes true in every hour that passes, also in one
            that the clocks repeat. All others are meant by the clock on the wall.
    """

    cron: str
    hourly: bool


def read(text: str) -> Schedule:
    """Read a schedule.

    Raises:
        InvalidScheduleError: It is not of the five fields that CronJob knows, or names a day that
            never comes.
    """
    if re.fullmatch(SCHEDULE_PATTERN, text) is None:
        raise InvalidScheduleError(f"{text!r} {SCHEDULE_HAS_FIVE_FIELDS.message}")
    minute, hour, *days = (_without_idle_steps(field) for field in text.upper().split())
    if hour == "*":
        schedule = Schedule(" ".join((minute, hour, *days)), hourly=True)
    else:
        # cronsim takes every leading * for "follow elapsed time", so that '0 */12 * * *' would not
        # open at all where midnight is skipped. Written as a range it is a time on the wall.
        schedule = Schedule(" ".join((_spelt(minute, 59), _spelt(hour, 23), *days)), hourly=False)
    try:
        next(CronSim(schedule.cron, _ANY_DAY))
    except (CronSimError, StopIteration) as error:
        why = str(error).lower() or "no such day"
        raise InvalidScheduleError(
            f"the schedule {text!r} never opens or cannot be read ({why}): write minute hour day "
            "month weekday, ranges from low to high, and a day that its months have"
        ) from None
    return schedule


def _without_idle_steps(field: str) -> str:
    """Write ``5-5/2`` as ``5``: cronsim takes it for ``5/2``, from 5 up to the last value."""
    return re.sub(
        r"(\w+)-(\w+)/[0-9]+",
        lambda found: found[1] if _value(found[1]) == _value(found[2]) else found[0],
        field,
    )


def _value(text: str) -> int:
    return _NAMES[text] if text in _NAMES else int(text)


def _spelt(field: str, last: int) -> str:
    """Write ``*`` as the range that it stands for."""
    return field.replace("*", f"0-{last}")
