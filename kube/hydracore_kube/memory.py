"""The cyclic garbage collector, set for a process that keeps tens of thousands of objects."""

from __future__ import annotations

import gc

ALLOCATIONS = 50_000
"""New containers before the young ones are looked through; the interpreter's default is 700."""
YOUNG_ROUNDS = 20


def settle() -> None:
    """Call once the first lists are in: what is kept from then on is not looked through again.

    Every object of the stores consists of dozens of containers. With the interpreter's thresholds
    each rollout pass would have the collector walk through all of them; reference counts free
    nearly everything without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, YOUNG_ROUNDS, YOUNG_ROUNDS)
