"""The text of a halt, for a person at 2 a.m.: what failed, how far it went, what can be done."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydracore_crds import RolloutTarget

from hydracore_core.rollouts.scope import RolloutScope
from hydracore_core.rollouts.texts import at, count, listed

_SHOWN = 3
_ERROR_LENGTH = 200
_NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\d+")


def halt_text(rollout: RolloutScope, failed: Sequence[RolloutTarget]) -> str:
    """Write why a rollout is halted.

    Args:
        rollout: The rollout.
        failed: The failures that count.

    Returns:
        At most 2,048 characters: what failed with the errors grouped, the limit, what is still in
        flight, how many are untouched, and what resume, retry and cancel would do.
    """
    waiting, flying = len(rollout.waiting), len(rollout.in_progress)
    flight = (
        f"{count(flying, 'target')} still in flight will finish" if flying else "none in flight"
    )
    resume = f"Resume: go on with the {waiting} queued; these failures are accepted."
    return " ".join(
        (
            f"Halted: {_failed(rollout, failed)}, {_limit(rollout)}.",
            f"Errors: {'; '.join(error_groups(failed))}.",
            f"{flight[0].upper()}{flight[1:]}, {count(waiting, 'target')} untouched.",
            resume,
            "Retry: a failed target waits for the resume and then gets the same bundle again.",
            f"Cancel: drop the {waiting} queued; what was updated stays updated.",
        )
    )[:2048]


def error_groups(failed: Sequence[RolloutTarget]) -> list[str]:
    """Group failures by their error, the most frequent first.

    Errors that differ in numbers or long hexadecimal words only are the same.
    """
    groups: dict[str, list[RolloutTarget]] = {}
    for target in sorted(failed, key=lambda t: (t.spec.order, t.metadata.name)):
        groups.setdefault(_NUMBERS.sub("#", _error(target)), []).append(target)
    ranked = sorted(groups.values(), key=lambda group: (-len(group), group[0].spec.order))
    texts = [
        f'{len(group)}x "{_error(group[0])}" ({listed([t.spec.instance_name for t in group])})'
        for group in ranked[:_SHOWN]
    ]
    more = sum(len(group) for group in ranked[_SHOWN:])
    return [*texts, f"{more} with other errors"] if more else texts


def _error(target: RolloutTarget) -> str:
    status = target.status
    return (status.error_message or status.last_result_status or "no reason given")[:_ERROR_LENGTH]


def _failed(rollout: RolloutScope, failed: Sequence[RolloutTarget]) -> str:
    unknown = sum(1 for target in failed if target.status.state == "uncertain")
    executed = count(rollout.executed, "executed target")
    if rollout.accepted_until is None:
        text = f"{len(failed)} of {executed} failed"
    else:
        bad = len(rollout.failed) + len(rollout.uncertain)
        text = (
            f"{count(len(failed), 'target')} failed since failures were last accepted "
            f"at {at(rollout.accepted_until)} ({bad} of {executed} in all)"
        )
    return f"{text}, {unknown} with unknown outcome" if unknown else text


def _limit(rollout: RolloutScope) -> str:
    threshold = rollout.rollout.spec.strategy.failure_threshold
    if threshold is None or threshold.percent is None:
        return f"the limit is {(threshold.count if threshold else None) or 1}"
    least = f" once {threshold.min_executed} have run" if threshold.min_executed else ""
    return f"the limit is {threshold.percent}%{least}"
