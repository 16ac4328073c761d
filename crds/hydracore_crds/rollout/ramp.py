"""Ramp: how a rollout's rate of starts grows with what succeeds (a part of the strategy)."""

from __future__ import annotations

from pydantic import Field

from hydracore_crds.base import Rule, Wire, rules

MAX_RATE = 600
"""Starts per minute: one every 100 ms."""


class Ramp(Wire):
    """So many starts a minute; more with every so many successes, up to a most.

    The rule is AWS IoT Jobs': startsPerMinute x (1 + increasePercent / 100) ^ steps.
    """

    model_config = rules(
        [
            Rule(
                "self.maxStartsPerMinute >= self.startsPerMinute",
                "ramp.maxStartsPerMinute must be at least ramp.startsPerMinute: raise it",
            ).to_schema(),
        ]
    )

    starts_per_minute: int = Field(ge=1, le=MAX_RATE, description="The rate that it begins with.")
    increase_percent: int = Field(
        default=100,
        ge=10,
        le=400,
        description="By so many percent the rate grows with each step; 100 doubles it.",
    )
    successes_per_step: int = Field(
        ge=1, le=10000, description="A step is taken at each multiple of so many successes."
    )
    max_starts_per_minute: int = Field(ge=1, le=MAX_RATE, description="The highest rate.")
