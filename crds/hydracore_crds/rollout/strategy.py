"""Strategy: how fast a rollout goes, in which steps, and when it stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import Rule, Wire, rules
from hydracore_crds.rollout.ramp import Ramp
from hydracore_crds.rollout.selector import Selector

DEFAULT_TARGET_TIMEOUT = 900
MAX_WAVES = 20
MAX_RETRIES = 10


class FailureThreshold(Wire):
    """When to halt: at so many failures, or at such a share of the executed targets."""

    model_config = rules(
        [
            Rule(
                "has(self.count) != has(self.percent)",
                "failureThreshold needs either count or percent, not both: remove one",
            ).to_schema(),
            Rule(
                "!has(self.minExecuted) || has(self.percent)",
                "failureThreshold.minExecuted goes with percent only",
            ).to_schema(),
        ]
    )

    count: int | None = Field(default=None, ge=1, le=10000)
    percent: int | None = Field(default=None, ge=1, le=100)
    min_executed: int | None = Field(default=None, ge=1, le=10000)


class Wave(Wire):
    """A part of the targets, and what must hold before the next part begins."""

    model_config = rules(
        [
            Rule(
                "(has(self.count) ? 1 : 0) + (has(self.percent) ? 1 : 0) "
                "+ (has(self.selector) ? 1 : 0) == 1",
                "a wave needs exactly one of count, percent and selector",
            ).to_schema(),
        ]
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = Field(
        default=None, description="For people, such as canary."
    )
    count: int | None = Field(default=None, ge=1, le=10000, description="So many targets.")
    percent: int | None = Field(
        default=None, ge=1, le=100, description="So many percent of all targets, rounded up."
    )
    selector: Selector | None = Field(
        default=None, description="The targets whose instances carry these labels."
    )
    success_percent: int = Field(
        default=100,
        ge=0,
        le=100,
        description="So many percent of those that ran must have succeeded, or it halts.",
    )
    bake_seconds: int = Field(
        default=0,
        ge=0,
        le=604800,
        description="How long all that was updated must then stay healthy.",
    )
    approval: bool = Field(
        default=False, description="Then a person must approve before the next wave begins."
    )


class Strategy(Wire):
    """How fast, in which steps, and when to stop."""

    model_config = rules(
        [
            Rule(
                "!has(self.ramp) || self.staggerSeconds == 0",
                "ramp and staggerSeconds exclude each other: remove one",
            ).to_schema(),
        ]
    )

    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=500,
        description="Targets of this rollout in flight at once; never above the policy's limit.",
    )
    failure_threshold: FailureThreshold | None = Field(
        default=None, description="Default: one failure."
    )
    waves: list[Wave] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_WAVES,
        description="In this order; targets that are left are one more wave at the end.",
    )
    on_failure: Literal["pause", "continue", "rollback"] = Field(
        default="pause",
        description="At the failure threshold, or when a wave went badly: wait for a person, mind "
        "no failure, or take back what was updated.",
    )
    uncertain_counts_as: Literal["failed", "ignored"] = Field(
        default="failed",
        description="What an uncertain target is for failureThreshold and a wave's share.",
    )
    progress_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=604800,
        description="Halt after so long without a success; stands still while it may not go on.",
    )
    retry_limit: int = Field(
        default=0,
        ge=0,
        le=MAX_RETRIES,
        description="How often the operator tries a failed target again by itself.",
    )
    retry_backoff_seconds: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="Wait before the first such retry; doubles each time, an hour at most.",
    )
    stagger_seconds: int = Field(
        default=0, ge=0, le=3600, description="Least time between two starts of this rollout."
    )
    ramp: Ramp | None = Field(
        default=None, description="How many may start in a minute; grows with what succeeds."
    )
    target_timeout_seconds: int = Field(
        default=DEFAULT_TARGET_TIMEOUT,
        ge=1,
        le=86400,
        description="How long a target may be in progress before its outcome is uncertain.",
    )
