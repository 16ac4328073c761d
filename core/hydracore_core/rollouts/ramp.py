"""How far apart the starts of a rollout are: a stagger is fixed, a ramp grows with success.

A ramp is AWS IoT Jobs' exponential rate::

    starts per minute = startsPerMinute x (1 + increasePercent / 100) ^ k, at most the highest rate
    k                 = targets that have succeeded / successesPerStep, rounded down

Starts are evenly spread: 60 s / rate apart. So the rate needs no memory but the latest start and
the stored outcomes, and no minute sees more starts than it says.
"""

from __future__ import annotations

from datetime import timedelta

from hydracore_core.rollouts.texts import lasting
from hydracore_crds.rollout import Ramp, Strategy

_MINUTE = 60.0


def rate(ramp: Ramp, succeeded: int) -> float:
    """Return how many may start in a minute after so many successes."""
    found, most = float(ramp.starts_per_minute), float(ramp.max_starts_per_minute)
    for _ in range(succeeded // ramp.successes_per_step):
        if found >= most:
            break
        found *= 1 + ramp.increase_percent / 100
    return min(found, most)


def distance(strategy: Strategy, succeeded: int) -> timedelta:
    """Return how far apart starts are after so many successes; zero where they need not be."""
    if strategy.ramp is None:
        return timedelta(seconds=strategy.stagger_seconds)
    return timedelta(seconds=_MINUTE / rate(strategy.ramp, succeeded))


def paced(strategy: Strategy) -> bool:
    """Whether starts keep a distance."""
    return strategy.ramp is not None or strategy.stagger_seconds > 0


def countdown(strategy: Strategy, order: int) -> int:
    """Return how many seconds after the first start a target starts at the earliest.

    With a ramp that is so if everything before it has succeeded at once: nobody knows before how
    soon the rate will grow.

    Args:
        strategy: The rollout's.
        order: The target's place, from 0.
    """
    ramp = strategy.ramp
    if ramp is None:
        return order * strategy.stagger_seconds
    seconds, begun = 0.0, 0
    while begun < order:
        # Before the n-th further start no more than n have succeeded.
        now = rate(ramp, begun + 1)
        step_ends = (begun + 1) // ramp.successes_per_step * ramp.successes_per_step
        left = step_ends + ramp.successes_per_step - 1 - begun
        here = order - begun if now >= ramp.max_starts_per_minute else min(left, order - begun)
        seconds += here * _MINUTE / now
        begun += here
    return int(seconds)


def told(strategy: Strategy, succeeded: int) -> str:
    """Say how fast targets may start."""
    if strategy.ramp is None:
        return f"starts are {lasting(distance(strategy, 0))} apart"
    now = rate(strategy.ramp, succeeded)
    return f"{now:.3g} starts a minute after {succeeded} succeeded (ramp)"
