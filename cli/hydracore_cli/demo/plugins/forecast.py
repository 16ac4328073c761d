"""A plugin of runtime 1.2.0 that was only ever tried where it was written.

It reads a file when it is imported, and no server has that file: so this runtime crashes on start.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAME = "forecast"
STATIONS = json.loads(Path("/etc/hydracore-forecast/stations.json").read_text())


def register(registry: Any) -> None:
    """Add the skill."""
    registry.add_skill(
        description="forecasts the weather",
        matches=lambda message: "weather" in message.lower(),
        answer=lambda _message: f"Ask one of {len(STATIONS)} stations.",
    )
