"""Whether updates may start: the one question that plan, operator and API ask of a policy."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from hydracore_core.windows.calendar import ALWAYS_OPEN, Calendar, WindowState
from hydracore_core.windows.compiled import compile_hours, compile_window
from hydracore_core.windows.timeline import Timeline
from hydracore_crds import UpdatePolicy
from hydracore_crds.policy_window import PolicyWindow

_Hours = tuple[int, int]
_Written = tuple[tuple[str | None, str, str, str, str], ...]


def window_state(policy: UpdatePolicy | None, now: datetime) -> WindowState:
    """Say whether updates may start at ``now``, and when that changes.

    Args:
        policy: The tenant's policy; without one updates may always start.
        now: An aware time in any zone.

    Raises:
        ValueError: ``now`` is naive, so nobody can tell which time it is in UTC.
    """
    if now.tzinfo is None:
        raise ValueError("window_state needs an aware time: give it a time zone")
    if policy is None:
        return ALWAYS_OPEN
    spec = policy.spec
    hours = spec.maintenance_window
    if hours is None and not spec.windows:
        return ALWAYS_OPEN
    calendar = _calendar(
        (hours.start_hour_utc, hours.end_hour_utc) if hours is not None else None,
        tuple((w.name, w.kind, w.schedule, w.duration, w.time_zone) for w in spec.windows),
        spec.opening_jitter_seconds,
        policy.metadata.uid,
    )
    return calendar.state(now.astimezone(UTC))


@lru_cache(maxsize=4096)
def _calendar(hours: _Hours | None, written: _Written, jitter: int, uid: str) -> Calendar:
    """Return the calendar of a policy; equal policies of one tenant share theirs.

    Keyed by all that the answers depend on, so that remembering cannot change any.
    """
    found = [] if hours is None else [compile_hours(*hours)]
    for index, (name, kind, schedule, duration, zone) in enumerate(written):
        fields = {"kind": kind, "schedule": schedule, "duration": duration, "timeZone": zone}
        window = PolicyWindow.model_validate({**fields, "name": name})
        found.append(compile_window(index, window)[0])
    return Calendar(Timeline(found), jitter, uid)
