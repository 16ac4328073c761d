"""Policies with windows, written shortly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hydracore_crds import UpdatePolicy
from hydracore_crds.policy_window import PolicyWindow

BERLIN = "Europe/Berlin"


def allow(schedule: str, duration: str, zone: str = "Etc/UTC", name: str | None = None) -> Any:
    return window("allow", schedule, duration, zone, name)


def deny(schedule: str, duration: str, zone: str = "Etc/UTC", name: str | None = None) -> Any:
    return window("deny", schedule, duration, zone, name)


def window(
    kind: str, schedule: str, duration: str, zone: str = "Etc/UTC", name: str | None = None
) -> PolicyWindow:
    fields = {"kind": kind, "schedule": schedule, "duration": duration, "timeZone": zone}
    return PolicyWindow.model_validate({**fields, "name": name})


def policy(
    *windows: PolicyWindow,
    hours: tuple[int, int] | None = None,
    jitter: int = 0,
    uid: str = "one tenant",
) -> UpdatePolicy:
    spec: dict[str, Any] = {
        "windows": [each.to_wire() for each in windows],
        "openingJitterSeconds": jitter,
    }
    if hours is not None:
        spec["maintenanceWindow"] = {"startHourUtc": hours[0], "endHourUtc": hours[1]}
    return UpdatePolicy.model_validate({"metadata": {"name": "default", "uid": uid}, "spec": spec})


def utc(text: str) -> datetime:
    """Read ``2026-03-29 01:00`` (seconds may follow) as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
