"""What is believed about an agent's health, decided from the outcomes of its polls.

Three rules stand between an outcome and what is shown to the world:

1. **Hysteresis.** Bad news needs several polls in a row, and so does good news after bad news.
2. **Damping** (as BGP does with routes, RFC 2439): every change costs a penalty that decays with
   time. Above a limit the agent counts as flapping: what is shown stays at the worst that was seen,
   at least degraded, until the penalty has decayed; in between it can only get worse.
3. **A budget** for news about the runtime, which is shown as reported, but not without end.

So whatever the sequence of outcomes, what is shown changes at a bounded rate (a test says which).
Times are seconds of any clock that does not go backwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

Level = Literal["healthy", "degraded", "unhealthy", "unreachable"]
"""From best to worst."""

LEVELS: tuple[Level, ...] = ("healthy", "degraded", "unhealthy", "unreachable")
GOOD: frozenset[Level] = frozenset({"healthy", "degraded"})

BLIP_PENALTY = 0.25
"""An outcome that differs from the one before."""
CHANGE_PENALTY = 1.0
"""A change that hysteresis let through."""
SUPPRESS_ABOVE = 6.0
REUSE_BELOW = 2.0
MOST_PENALTY = 8.0
LEAST_PENALTY = 0.01
"""What has decayed to less counts as nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a belief changes.

    Attributes:
        unreachable_after: Polls in a row that must fail.
        unhealthy_after: Answers in a row that must be bad.
        healthy_after: Answers in a row that must be good after bad news.
        half_life: Seconds in which a penalty decays to its half.
        runtime_burst: News about the runtime that are shown at once.
        runtime_seconds: One more every so many seconds.
    """

    unreachable_after: int = 3
    unhealthy_after: int = 2
    healthy_after: int = 2
    half_life: float = 300.0
    runtime_burst: int = 20
    runtime_seconds: float = 60.0

    def needed(self, now: Level, then: Level) -> int:
        """Return how many outcomes in a row lead from one level to another."""
        if then == "unreachable":
            return self.unreachable_after
        if then == "unhealthy":
            return self.unhealthy_after
        return 1 if now in GOOD else self.healthy_after


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed after some polls; feed it to :func:`observe` for the next.

    Attributes:
        shown: What the world is told; None before the first outcome that counts.
        steady: What hysteresis let through last; differs from ``shown`` only while flapping.
        last: The last outcome.
        streak: How many times in a row.
        penalty: As of ``at``.
        flapping: Whether it is damped.
        at: When it was last observed.
        budget: News about the runtime that may still be shown.
        budget_at: As of when.
    """

    shown: Level | None = None
    steady: Level | None = None
    last: Level | None = None
    streak: int = 0
    penalty: float = 0.0
    flapping: bool = False
    at: float = 0.0
    budget: float = field(default=math.inf)
    budget_at: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether the last outcome is what is believed; if not, ask again soon."""
        return self.last == self.steady

    @property
    def resting(self) -> bool:
        """Whether the same outcome once more would change nothing at all."""
        return self.last == self.steady == self.shown and not self.penalty


def remembered(shown: Level, at: float, *, flapping: bool) -> Belief:
    """Return the belief of a process that only knows what was shown before it started."""
    penalty = SUPPRESS_ABOVE if flapping else 0.0
    return Belief(shown, shown, shown, 1, penalty, flapping, at)


def observe(belief: Belief, outcome: Level, now: float, limits: Limits) -> Belief:
    """Take in the outcome of one poll.

    Args:
        belief: What was believed before.
        outcome: ``unreachable`` for a poll that failed, otherwise what the agent says of itself.
        now: When it was asked; not before the last time.
        limits: The rules' figures.
    """
    if outcome == belief.last and belief.resting:
        return belief  # nearly every poll of a fleet that is well
    penalty = belief.penalty
    if penalty:
        penalty *= 0.5 ** (max(0.0, now - belief.at) / limits.half_life)
    streak = belief.streak + 1 if outcome == belief.last else 1
    if belief.last not in (None, outcome):
        penalty += BLIP_PENALTY
    steady = belief.steady
    if steady is None:
        # The first good answer counts at once; bad news still needs its number.
        known = outcome in GOOD or streak >= limits.needed("healthy", outcome)
        steady = outcome if known else None
    elif outcome != steady and streak >= limits.needed(steady, outcome):
        steady, penalty = outcome, penalty + CHANGE_PENALTY
    penalty = min(penalty, MOST_PENALTY) if penalty >= LEAST_PENALTY else 0.0
    flapping = penalty > (REUSE_BELOW if belief.flapping else SUPPRESS_ABOVE)
    return Belief(
        shown=_shown(belief, steady, flapping=flapping),
        steady=steady,
        last=outcome,
        streak=streak,
        penalty=penalty,
        flapping=flapping,
        at=now,
        budget=belief.budget,
        budget_at=belief.budget_at,
    )


def _shown(belief: Belief, steady: Level | None, *, flapping: bool) -> Level | None:
    if not flapping or steady is None:
        return steady
    return max(belief.shown or steady, steady, "degraded", key=LEVELS.index)


def spend(belief: Belief, now: float, limits: Limits) -> tuple[Belief, bool]:
    """Take one piece of news about the runtime from the budget; return whether there was one."""
    refill = max(0.0, now - belief.budget_at) / limits.runtime_seconds
    budget = min(belief.budget + refill, float(limits.runtime_burst))
    allowed = budget >= 1.0
    return replace(belief, budget=budget - allowed, budget_at=now), allowed
