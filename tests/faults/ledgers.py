"""What real agents wrote down about their orders, read while they write it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from hydracore_cli.demo.ledger import FINAL_EVENTS, Flight, flights_of

Event = dict[str, Any]


def events_of(folder: Path, sha256: str) -> list[Event]:
    """Return the events of orders for one bundle; a line that is being written is left out."""
    path = folder / "state" / "ledger.jsonl"
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    events = [json.loads(line) for line in lines if line]
    return [event for event in events if event.get("taskId") and event.get("sha256") == sha256]


def names_of(folder: Path, sha256: str) -> list[str]:
    """Return the names of these events, in order."""
    return [str(event["event"]) for event in events_of(folder, sha256)]


def flights(folder: Path, sha256: str) -> list[Flight]:
    """Return the orders for one bundle, from acceptance to outcome."""
    return flights_of(folder.name, events_of(folder, sha256))


def ends_of(folder: Path, sha256: str) -> Counter[str]:
    """Return how often each order came to an end: never more than once, if all is well."""
    ended = [e["taskId"] for e in events_of(folder, sha256) if e["event"] in FINAL_EVENTS]
    return Counter(ended)
