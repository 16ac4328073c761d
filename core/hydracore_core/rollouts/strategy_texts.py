"""A strategy in words, as previews tell it."""

from __future__ import annotations

from datetime import timedelta

from hydracore_core.rollouts.automatic import JITTER, LONGEST
from hydracore_core.rollouts.texts import count, lasting
from hydracore_core.rollouts.thresholds import DEFAULT_THRESHOLD
from hydracore_crds.rollout import Strategy


def halts(strategy: Strategy) -> str:
    """Say when failures halt a rollout."""
    if strategy.on_failure == "continue":
        return "failures do not halt it"
    limit = strategy.failure_threshold or DEFAULT_THRESHOLD
    if limit.percent is None:
        return f"halts at {count(limit.count or 1, 'failure')}"
    least = f", once {count(limit.min_executed, 'target')} ran" if limit.min_executed else ""
    return f"halts when {limit.percent}% of those that ran failed{least}"


def retries(strategy: Strategy) -> str:
    """Say how often the operator tries a failed target again, and how long it waits before."""
    limit = strategy.retry_limit
    if not limit:
        return "a failed target is not tried again by itself"
    waits = [min(strategy.retry_backoff_seconds * 2**n, LONGEST) for n in range(limit)]
    told = [lasting(timedelta(seconds=wait)) for wait in waits]
    jitter = f"{JITTER:.0%} more or less"
    return f"a failed target gets up to {_retries(limit)}, after {', '.join(told)} ({jitter})"


def pace(strategy: Strategy) -> str:
    """Say how far apart starts are."""
    ramp = strategy.ramp
    if ramp is not None:
        first, step = count(ramp.starts_per_minute, "start"), ramp.successes_per_step
        more = f"{ramp.increase_percent}% more after each {step} that succeeded"
        return f"{first} a minute, {more}, {ramp.max_starts_per_minute} at most"
    if strategy.stagger_seconds:
        return f"starts are {lasting(timedelta(seconds=strategy.stagger_seconds))} apart"
    return "as many at once as the limits allow"


def _retries(number: int) -> str:
    return "1 retry" if number == 1 else f"{number} retries"
