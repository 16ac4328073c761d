"""Small pieces of text for people."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import timedelta

from hydracore_core.texts import at
from hydracore_crds import Instance
from hydracore_crds.rollout import WaveStatus

__all__ = ["at", "called", "count", "known_as", "lasting", "listed"]

_LISTED = 3
_MINUTE_FROM = 120
"""Shorter durations are written in seconds."""
_NAME_LENGTH = 40


def count(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 target``, ``3 targets``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Collection[str]) -> str:
    """Name the first few, in order, and say how many more there are."""
    first = sorted(names)[:_LISTED]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")


def lasting(duration: timedelta) -> str:
    """Write how long something takes, never less: ``4 s``, ``40 min``, ``5 h 30 min``."""
    seconds = math.ceil(duration.total_seconds())
    if seconds < _MINUTE_FROM:
        return f"{seconds} s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return " ".join(parts)


def known_as(instance: Instance) -> str:
    """Return the name that people gave the agent, with the object's name to look it up by."""
    name = instance.metadata.name
    shown = "".join(c for c in instance.spec.agent_name or "" if c.isprintable())
    shown = shown.strip()[:_NAME_LENGTH]
    return f"{shown} [{name}]" if shown and shown != name else name


def called(number: int, waves: Sequence[WaveStatus]) -> str:
    """Say which wave: ``wave 1 of 3 (canary)``."""
    name = waves[number - 1].name if number <= len(waves) else None
    return f"wave {number} of {len(waves)}" + (f" ({name})" if name else "")
