"""Automatic retries: the operator tries a failed target again, ``strategy.retryLimit`` times.

It raises ``spec.attempt`` as a person would, once the backoff has passed and no gate is closed; the
rest is :mod:`hydracore_core.rollouts.retries`. As long as retries are left, the failure counts
neither towards the threshold nor in its wave, and the rollout does not end. The number of the
attempt is the number of retries, whoever asked for them: a person may go beyond the limit, the
operator may not.

Never tried again by itself: what the agent has rejected (the same bytes would be rejected again),
an uncertain outcome (the old order may yet be carried out), an instance that is gone or that a
newer rollout has touched, and anything of a rollout that is cancelled, deleted or finished.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from hydracore_core.rollouts.finalizers import held
from hydracore_core.rollouts.instances import gone
from hydracore_core.rollouts.model import RaiseAttempt
from hydracore_core.rollouts.retries import refused
from hydracore_core.rollouts.scope import LONG_AGO, Gate, RolloutScope, TenantScope, queue_key
from hydracore_core.rollouts.texts import at, count
from hydracore_crds import RolloutTarget
from hydracore_crds.conditions import WAITING_FOR_RETRY

LONGEST = 3600
"""Seconds that a backoff is bounded at, before its jitter."""
JITTER = 0.2
"""By which share a backoff is made longer or shorter, so that a fleet does not retry at once."""


def backoff(base_seconds: int, attempt: int, uid: str) -> timedelta:
    """Return how long after its failure a target is tried again, in whole seconds.

    Args:
        base_seconds: ``strategy.retryBackoffSeconds``; doubled with each attempt.
        attempt: The attempt that failed, counted from 1.
        uid: The target's; with the attempt it decides on the jitter, the same in every process.
    """
    plain = min(base_seconds * 2 ** (attempt - 1), LONGEST)
    digest = hashlib.sha256(f"{uid}-{attempt}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32
    return timedelta(seconds=round(plain * (1 - JITTER + 2 * JITTER * share)))


def candidates(rollout: RolloutScope) -> Iterator[RolloutTarget]:
    """Yield the failed targets that have retries left."""
    limit = rollout.rollout.spec.strategy.retry_limit
    for target in rollout.failed if limit else ():
        attempt, result = target.status.attempt, target.status.last_result_status
        left = attempt is not None and attempt <= limit and result != "rejected"
        if left and not target.deleting and not refused(target):
            yield target


def to_retry(
    scope: TenantScope, rollout: RolloutScope, newer: Collection[str]
) -> list[RolloutTarget]:
    """Return the targets that the operator will try again, now or after their backoff.

    Args:
        scope: The tenant.
        rollout: The rollout.
        newer: Names of instances that a newer rollout of the same slug has touched.
    """
    over = rollout.stored_final or rollout.cancel is not None or rollout.refused is not None
    if over or rollout.rollback is not None or scope.view.terminating or not held(rollout):
        return []
    return [
        target
        for target in candidates(rollout)
        if target.spec.instance_name not in newer and gone(scope, target) is None
    ]


def retry_failed(scope: TenantScope) -> None:
    """Raise the attempt of every target whose backoff has passed; wake for the others."""
    for rollout in scope.rollouts:
        if rollout.gate is not None:
            continue
        due = [
            _retry(scope, rollout, target)
            for target in sorted(rollout.retrying, key=queue_key)
            if target.spec.attempt == target.status.attempt
        ]
        if due and not rollout.startable:
            text = f"{count(len(due), 'failed target')} to be tried again, from {at(min(due))}"
            rollout.wait = Gate(WAITING_FOR_RETRY, text)


def _retry(scope: TenantScope, rollout: RolloutScope, target: RolloutTarget) -> datetime:
    """Raise a target's attempt, or wake when that is due; return when it is."""
    due = due_at(rollout, target)
    if due > scope.now:
        scope.wakes.append(due)
    else:
        raised = RaiseAttempt(rollout.name, target.metadata.name, target.spec.attempt + 1)
        scope.out.attempt.append(raised)
    return due


def due_at(rollout: RolloutScope, target: RolloutTarget) -> datetime:
    """Return when a failed target may be tried again; long ago where it says not when it failed."""
    ended = target.status.completed_at
    if ended is None:
        return LONG_AGO
    base = rollout.rollout.spec.strategy.retry_backoff_seconds
    return ended + backoff(base, target.status.attempt or 1, target.metadata.uid)


def by_person(rollout: RolloutScope, target: RolloutTarget, now: datetime) -> bool:
    """Whether the retry that is asked for cannot be the operator's own."""
    if all(target is not one for one in rollout.retrying):
        return True
    return now < due_at(rollout, target)
