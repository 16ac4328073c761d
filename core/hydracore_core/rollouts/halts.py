"""The text of a halt, for a person at 2 a.m.: what failed, how far it went, what can be done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hydracore_core.rollouts.rollback import begin
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.texts import at, count, known_as, listed
from hydracore_core.rollouts.wishes import cancelled_by
from hydracore_crds import Instance, RolloutTarget
from hydracore_crds.conditions import PROGRESS_DEADLINE_EXCEEDED, ROLLING_BACK

_SHOWN = 3
_ERROR_LENGTH = 200
_REST = re.compile(r" (?=(?:None in flight|\d+ targets? still in flight will finish), )")
"""Where the part of a halt's text begins that :func:`_rest` writes."""
_ACCEPTS = {
    False: "these failures are accepted",
    True: "failures so far are accepted, and the deadline begins anew",
}
"""What a resume means, by whether it was the progress deadline that halted the rollout."""
_NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\d+")


Trouble = tuple[str, str, Sequence[RolloutTarget]]
"""Why to halt: a condition reason, the first sentence for people, the failures that count."""


def halt(scope: TenantScope, rollout: RolloutScope, trouble: Trouble) -> None:
    """Halt a rollout, or bring the text of its halt up to date; its time stays.

    One that is to take back what it has updated begins with that instead.
    """
    cause, head, failed = trouble
    if rollout.rollout.spec.strategy.on_failure == "rollback":
        errors = "; ".join(error_groups(failed, scope.instances))
        begin(scope, rollout, f"{head}" + (f". Errors: {errors}" if errors else ""), None)
        rollout.gate = Gate(ROLLING_BACK, "what was updated is about to be taken back")
        return
    rollout.halt_cause = cause
    rollout.halt_reason = halt_text(rollout, head, failed, scope.instances)
    rollout.halted_at = rollout.halted_at or scope.now


def halt_text(
    rollout: RolloutScope,
    head: str,
    failed: Sequence[RolloutTarget],
    instances: Mapping[str, Instance],
) -> str:
    """Write why a rollout is halted, as things stand now.

    Args:
        rollout: The rollout.
        head: What happened and which limit it broke.
        failed: The failures that count.
        instances: Instances by name, to call them as people do.

    Returns:
        At most 2,048 characters: what failed with the errors grouped, the limit, what is still in
        flight, how many are untouched, and what resume, retry and cancel would do.
    """
    errors = "; ".join(error_groups(failed, instances))
    return " ".join(
        (
            f"Halted: {head}.",
            *([f"Errors: {errors}."] if errors else []),
            _rest(rollout),
            *_ways_on(rollout),
        )
    )[:2048]


def brought_up_to_date(rollout: RolloutScope) -> str | None:
    """Return the text of a stored halt with what is in flight and left by now.

    What happened stays as it was told.
    """
    told = rollout.halt_reason or ""
    rests = list(_REST.finditer(told))
    if not rests:
        return rollout.halt_reason
    return " ".join((told[: rests[-1].start()], _rest(rollout), *_ways_on(rollout)))[:2048]


def threshold_head(rollout: RolloutScope, failed: Sequence[RolloutTarget]) -> str:
    """Say how many failed and what the failure threshold is."""
    return f"{_failed(rollout, failed)}, {_limit(rollout)}"


def error_groups(failed: Sequence[RolloutTarget], instances: Mapping[str, Instance]) -> list[str]:
    """Group failures by their error, the most frequent first.

    Errors that differ in numbers or long hexadecimal words only are the same.
    """
    groups: dict[str, list[RolloutTarget]] = {}
    for target in sorted(failed, key=lambda t: (t.spec.order, t.metadata.name)):
        groups.setdefault(_NUMBERS.sub("#", _error(target)), []).append(target)
    ranked = sorted(groups.values(), key=lambda group: (-len(group), group[0].spec.order))
    texts = [
        f'{len(group)}x "{_error(group[0])}" ({listed([_known_as(t, instances) for t in group])})'
        for group in ranked[:_SHOWN]
    ]
    more = sum(len(group) for group in ranked[_SHOWN:])
    return [*texts, f"{more} with other errors"] if more else texts


def _known_as(target: RolloutTarget, instances: Mapping[str, Instance]) -> str:
    """Return the name that people gave the agent, with the object's name to look it up by."""
    name = target.spec.instance_name
    instance = instances.get(name)
    return known_as(instance) if instance is not None else name


def _rest(rollout: RolloutScope) -> str:
    """Say what is in flight and what waits."""
    flying = len(rollout.in_progress)
    again = sum(1 for target in rollout.waiting if target.spec.attempt > 1)
    untouched = count(len(rollout.waiting) + rollout.missing - again, "target")
    flight = (
        f"{count(flying, 'target')} still in flight will finish" if flying else "None in flight"
    )
    text = f"{flight}, {untouched} untouched"
    text += f", {again} queued for a retry" if again else ""
    return f"{text}, {_to_retry(rollout)}." if rollout.retrying else f"{text}."


def _to_retry(rollout: RolloutScope) -> str:
    return f"{len(rollout.retrying)} failed with retries left"


def _ways_on(rollout: RolloutScope) -> tuple[str, ...]:
    """Say what a person can do, or that nothing is left to decide."""
    waiting = len(rollout.waiting) + rollout.missing
    if rollout.cancel is not None:
        return (f"Then cancelled by {cancelled_by(rollout.rollout)}.",)
    if not waiting and not rollout.retrying:
        return ("Nothing is left to start.",)
    late = rollout.halt_cause == PROGRESS_DEADLINE_EXCEEDED
    again = f", try the {_to_retry(rollout)} again" if rollout.retrying else ""
    return (
        f"Resume: go on with the {waiting} queued{again}; {_ACCEPTS[late]}.",
        "Retry: a failed target waits for the resume and then gets the same bundle again.",
        f"Cancel: drop the {waiting} queued; what was updated stays updated.",
    )


def _error(target: RolloutTarget) -> str:
    status = target.status
    return (status.error_message or status.last_result_status or "no reason given")[:_ERROR_LENGTH]


def _failed(rollout: RolloutScope, failed: Sequence[RolloutTarget]) -> str:
    if not failed:
        return "the failures that counted were retried or have turned out well since"
    unknown = sum(1 for target in failed if target.status.state == "uncertain")
    executed = count(rollout.executed, "executed target")
    if rollout.accepted_until is None:
        text = f"{len(failed)} of {executed} failed"
    else:
        ignored = rollout.rollout.spec.strategy.uncertain_counts_as == "ignored"
        bad = len(rollout.failed) + (0 if ignored else len(rollout.uncertain))
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
