"""How a trail grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hydracore_core.trail.actors import OPERATOR
from hydracore_crds.transition import (
    MAX_TOLD,
    MAX_TRANSITIONS,
    Transition,
    TransitionEvent,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step that a write takes."""

    event: TransitionEvent
    state: str
    actor: str = OPERATOR
    attempt: int | None = None
    reason: str | None = None
    message: str | None = None
    at: datetime | None = None


def extended(trail: Sequence[Transition], steps: Iterable[Step], at: datetime) -> list[Transition]:
    """Return a trail with some more steps; at most its newest ``MAX_TRANSITIONS``.

    Args:
        trail: The trail as it is stored, oldest first.
        steps: What is added, in order.
        at: The time of those that have none of their own, aware.
    """
    found = list(trail)
    for step in steps:
        found.append(
            Transition(
                seq=found[-1].seq + 1 if found else 1,
                event=step.event,
                state=step.state,
                at=step.at or at,
                actor=step.actor,
                attempt=step.attempt,
                reason=step.reason,
                message=step.message[:MAX_TOLD] if step.message else None,
            )
        )
    return found[-MAX_TRANSITIONS:]
