"""Whether the platform is frozen: the one question that plan, gates and API ask of its policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hydracore_core.texts import at
from hydracore_crds import PlatformPolicy


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze that holds now.

    Attributes:
        why: What tenants are told, with the reason that was given.
        until: When it ends by itself; None if somebody has to end it.
    """

    why: str
    until: datetime | None


def freeze_of(platform: PlatformPolicy | None, now: datetime) -> Freeze | None:
    """Return the freeze that holds at ``now``; None if updates may start.

    A policy that is being deleted still holds: its end is when it is gone.

    Args:
        platform: The platform's policy, if there is one.
        now: An aware time in any zone.

    Raises:
        ValueError: ``now`` is naive, so nobody can tell which time it is in UTC.
    """
    if now.tzinfo is None:
        raise ValueError("freeze_of needs an aware time: give it a time zone")
    wanted = platform.spec.freeze if platform is not None else None
    if wanted is None or (wanted.until is not None and now >= wanted.until):
        return None
    until = f" until {at(wanted.until.astimezone(UTC))}" if wanted.until is not None else ""
    return Freeze(f"the platform is frozen{until}: {wanted.reason}", wanted.until)
