"""Windows of an UpdatePolicy: when updates may start, and when they must not.

What the API server can judge, it refuses (CEL). The rest, whether a schedule ever comes true and
whether a time zone is known, is judged by :mod:`hydracore_core.windows`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import Checked, Rule, Wire

WindowKind = Literal["allow", "deny"]

MAX_WINDOWS = 16
MAX_JITTER_SECONDS = 3600
SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=7)
UTC_NAME = "Etc/UTC"
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def _field(value: str) -> str:
    """Return the pattern of one field of a schedule whose values are as this pattern says."""
    term = rf"([*]|({value})(-({value}))?)(/[1-9][0-9]?)?"
    return f"{term}(,{term})*"


SCHEDULE_PATTERN = "(?i)^{}$".format(
    " +".join(
        _field(value)
        for value in (
            "[0-5]?[0-9]",
            "[01]?[0-9]|2[0-3]",
            "0?[1-9]|[12][0-9]|3[01]",
            f"0?[1-9]|1[0-2]|{'|'.join(MONTHS)}",
            f"[0-7]|{'|'.join(WEEKDAYS)}",
        )
    )
)
"""The five fields of cron as CronJob knows them: lists, ranges, steps, English names."""

_SHORT_MONTH = "0?[2469]|11|FEB|APR|JUN|SEP|NOV"
_NEVER = (
    rf"(?i)^[^ ]+ +[^ ]+ +(31(,31)* +({_SHORT_MONTH})(,({_SHORT_MONTH}))*"
    r"|3[01](,3[01])* +(0?2|FEB)(,(0?2|FEB))*) +[*]$"
)
DURATION_PATTERN = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?$"
ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"

SCHEDULE_HAS_FIVE_FIELDS = Rule(
    f"self.matches('{SCHEDULE_PATTERN}')",
    "is not a schedule: write the five fields of cron, minute hour day month weekday, "
    "for example '0 22 * * MON-FRI'",
)
SCHEDULE_COMES_TRUE = Rule(
    f"!self.matches('{_NEVER}')",
    "names a day that none of its months has, so it never opens: change the day or the month",
)
DURATION_IS_WELL_FORMED = Rule(
    f"self != '' && self.matches('{DURATION_PATTERN}')",
    "is not a duration: write hours and minutes, for example '4h30m', '45m' or '168h'",
)
DURATION_IS_IN_BOUNDS = Rule(
    f"self == '' || !self.matches('{DURATION_PATTERN}') "
    "|| (duration(self) >= duration('1m') && duration(self) <= duration('168h'))",
    "a window lasts from one minute ('1m') to seven days ('168h')",
)
ZONE_IS_A_NAME = Rule(
    f"self.matches('{ZONE_PATTERN}') && self != 'Local'",
    "is not a name of the IANA time zone database: write one like 'Europe/Berlin' or 'Etc/UTC'",
)

Schedule = Annotated[
    str,
    StringConstraints(max_length=100),
    Checked(SCHEDULE_HAS_FIVE_FIELDS, SCHEDULE_COMES_TRUE),
]
Duration = Annotated[
    str,
    StringConstraints(max_length=12),
    Checked(DURATION_IS_WELL_FORMED, DURATION_IS_IN_BOUNDS),
]
ZoneName = Annotated[str, StringConstraints(max_length=63), Checked(ZONE_IS_A_NAME)]
WindowName = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class PolicyWindow(Wire):
    """A window that opens by a schedule and stays open for a while.

    With allow windows, updates start only while one is open. An open deny window always wins.
    """

    name: WindowName | None = Field(default=None, description="What people call it.")
    kind: WindowKind = Field(description="Whether updates may start while it is open.")
    schedule: Schedule = Field(
        description="When it opens: minute, hour, day, month and weekday, as in a CronJob."
    )
    duration: Duration = Field(
        description="How long it stays open, in elapsed time: hours and minutes, like 4h30m."
    )
    time_zone: ZoneName = Field(
        default=UTC_NAME, description="IANA name of the time zone that the schedule is meant in."
    )


def duration_of(text: str) -> timedelta:
    """Read a duration of hours and minutes.

    Raises:
        ValueError: It is none, or not between one minute and seven days.
    """
    found = re.fullmatch(r"(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?", text)
    if not text or found is None:
        raise ValueError(DURATION_IS_WELL_FORMED.message)
    length = timedelta(hours=int(found[1] or 0), minutes=int(found[2] or 0))
    if not SHORTEST <= length <= LONGEST:
        raise ValueError(DURATION_IS_IN_BOUNDS.message)
    return length
