"""A plugin of runtime 1.3.0 that works for one agent of a machine, and for no second one.

It keeps its appointments in one file for all agents beside it and wants that file for itself: the
kind of fault that a test with one agent never shows.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

NAME = "calendar"
RELEASES = "releases"


def _shared_folder() -> Path:
    """Return the folder in which this agent and its neighbours have theirs."""
    here = Path(__file__).resolve()
    agent = next((p.parent for p in here.parents if p.name == RELEASES), here.parent)
    return agent.parent


APPOINTMENTS = (_shared_folder() / "appointments.lock").open("w")
fcntl.flock(APPOINTMENTS, fcntl.LOCK_EX | fcntl.LOCK_NB)


def register(registry: Any) -> None:
    """Add the skill."""
    registry.add_skill(
        description="keeps appointments",
        matches=lambda message: "appointment" in message.lower(),
        answer=lambda _message: "You have no appointments.",
    )
