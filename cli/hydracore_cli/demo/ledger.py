"""What agents themselves wrote down about the orders they got (``state/ledger.jsonl``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ACCEPTED = "accepted"
FINAL_EVENTS = frozenset({"activated", "rolled_back", "rejected", "aborted", "expired"})


@dataclass(frozen=True, slots=True)
class Flight:
    """One order in one agent, from acceptance to outcome.

    Attributes:
        agent: Name of the instance.
        task_id: The order.
        sha256: What was to be installed.
        started_at: When the agent accepted it.
        ended_at: When the outcome was final; None while it is not.
        outcome: The final event; None while there is none.
        message: What the agent said about the outcome.
    """

    agent: str
    task_id: str
    sha256: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    message: str


def parse_ledger(text: str) -> list[dict[str, Any]]:
    """Return the events of a ledger; a line that a crash cut short is left out."""
    events = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def flights_of(agent: str, events: Iterable[dict[str, Any]]) -> list[Flight]:
    """Return the agent's orders in the order of acceptance; events without a task are left out."""
    found: dict[str, Flight] = {}
    for event in events:
        task_id, kind = event.get("taskId"), event.get("event")
        if not isinstance(task_id, str):
            continue
        at = datetime.fromisoformat(str(event["at"]))
        if kind == ACCEPTED and task_id not in found:
            found[task_id] = Flight(agent, task_id, str(event["sha256"]), at, None, None, "")
        elif kind in FINAL_EVENTS and task_id in found:
            began = found[task_id]
            found[task_id] = Flight(
                agent,
                task_id,
                began.sha256,
                began.started_at,
                at,
                str(kind),
                str(event.get("message") or ""),
            )
    return list(found.values())


def most_at_once(flights: Iterable[Flight]) -> int:
    """Return how many of the flights overlapped at most; an unended one lasts for ever.

    Intervals are half open: one that starts when another ends does not overlap it.
    """
    marks: list[tuple[datetime, int]] = []
    for flight in flights:
        marks.append((flight.started_at, 1))
        if flight.ended_at is not None:
            marks.append((flight.ended_at, -1))
    now = most = 0
    for _, step in sorted(marks):
        now += step
        most = max(most, now)
    return most
