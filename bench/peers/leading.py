"""How a contender's leading process speaks with the harness, for those in Python.

It says ``ready`` when everything is up, hears ``go`` when the clock starts, says ``done`` if its
work leaves no trace in the cluster, and ends with its standard input.
"""

from __future__ import annotations

import sys

READY, GO, DONE = "ready", "go", "done"


def say(word: str) -> None:
    """Tell the harness."""
    print(word, flush=True)


def heard(word: str) -> bool:
    """Wait for a word; False when the harness is gone."""
    return any(line.strip() == word for line in sys.stdin)


def wait_for_the_end() -> None:
    """Return when the harness has closed our standard input."""
    for _ in sys.stdin:
        pass
