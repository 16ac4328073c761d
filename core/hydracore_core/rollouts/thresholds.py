"""The failure threshold: when to halt, and when a person has taken the halt back.

Failed targets count once the operator will not try them again by itself, uncertain ones unless
``uncertainCountsAs`` ignores them. A halt is stored and stays until the annotation ``resumed-at``
is newer than it; it never goes away by itself. While it lasts, its text follows what becomes of
the targets; its time stays. A resume, and a retry that reopens a finished rollout, accept the
failures before them: only later ones count again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hydracore_core.rollouts.halts import brought_up_to_date, halt, threshold_head
from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_core.rollouts.wishes import resumed_at
from hydracore_crds import RolloutTarget
from hydracore_crds.base import find
from hydracore_crds.conditions import HALT_CAUSES, HALTED, PROGRESSING
from hydracore_crds.rollout import FailureThreshold, RolloutStatus

DEFAULT_THRESHOLD = FailureThreshold(count=1)


def check_thresholds(scope: TenantScope) -> None:
    """Take up stored halts, honour resumes, then halt what has reached its threshold."""
    for rollout in scope.rollouts:
        _recall(rollout)
        if rollout.rollback is not None:
            rollout.halt_reason = rollout.halted_at = None
            continue
        if rollout.stored_final:
            if rollout.unfinished:
                _reopen(rollout, scope.now)
            continue
        _resume(scope, rollout)
        stored = rollout.halt_reason is not None
        if stored and rollout.halt_cause != HALTED:
            rollout.halt_reason = brought_up_to_date(rollout)
            continue
        if stored or (_may_halt(rollout) and _reached(rollout)):
            failed = failures(rollout)
            halt(scope, rollout, (HALTED, threshold_head(rollout, failed), failed))


def failures(rollout: RolloutScope) -> list[RolloutTarget]:
    """Return the targets that count as failures, for the threshold and for a wave's share."""
    if not rollout.failed and not rollout.uncertain:
        return []
    ignored = rollout.rollout.spec.strategy.uncertain_counts_as == "ignored"
    again = {target.metadata.name for target in rollout.retrying}
    failed = [target for target in rollout.failed if target.metadata.name not in again]
    return lately(rollout, failed if ignored else [*failed, *rollout.uncertain])


def lately(rollout: RolloutScope, targets: Iterable[RolloutTarget]) -> list[RolloutTarget]:
    """Return those that ended after failures were last accepted."""
    return [target for target in targets if _after(target, rollout.accepted_until)]


def _recall(rollout: RolloutScope) -> None:
    status = rollout.rollout.status
    rollout.halt_cause = _cause(status)
    rollout.halt_reason = status.halt_reason
    rollout.halted_at = status.halted_at
    rollout.resumed_at = status.resumed_at
    rollout.accepted_until = status.failures_accepted_until


def _cause(status: RolloutStatus) -> str:
    """Return the reason of a stored halt; its condition keeps it."""
    progressing = find(status.conditions, PROGRESSING)
    reason = progressing.reason if progressing is not None else HALTED
    return reason if reason in HALT_CAUSES else HALTED


def _reopen(rollout: RolloutScope, now: datetime) -> None:
    """A retry put a finished rollout back to work: its old failures are accepted by that."""
    rollout.reopened = True
    rollout.halt_reason = rollout.halted_at = None
    rollout.accepted_until = now


def _resume(scope: TenantScope, rollout: RolloutScope) -> None:
    """Honour a resume once. What counts is that the annotation is newer than the halt.

    The annotation's clock may run ahead of ours, so the newest honoured value is stored, and
    failures are accepted up to now at most: a time in the future cannot switch the threshold off.
    """
    asked = resumed_at(rollout.rollout)
    if asked is None or (rollout.resumed_at is not None and asked <= rollout.resumed_at):
        return
    if rollout.halted_at is not None and asked <= rollout.halted_at:
        scope.note(rollout.subject, "the resume is older than the halt: resume again to go on")
        return
    rollout.resumed_at = asked
    accepted = min(asked, scope.now)
    rollout.accepted_until = max(rollout.accepted_until or accepted, accepted)
    rollout.halt_reason = rollout.halted_at = None


def _may_halt(rollout: RolloutScope) -> bool:
    wish = rollout.rollout.spec.strategy.on_failure
    left = bool(rollout.waiting or rollout.missing or rollout.retrying)
    return (left and wish == "pause") or (wish == "rollback" and rollout.cancel is None)


def _reached(rollout: RolloutScope) -> bool:
    """Whether the failures that count have reached the threshold.

    With ``percent``, failures are divided by the executed targets that ended in the same time;
    before ``minExecuted`` of these there is no verdict (default 1).
    """
    failed = len(failures(rollout))
    if not failed:
        return False
    threshold = rollout.rollout.spec.strategy.failure_threshold or DEFAULT_THRESHOLD
    if threshold.percent is None:
        return failed >= (threshold.count or 1)
    good = len(lately(rollout, rollout.succeeded))
    executed = failed + good
    return (
        executed >= (threshold.min_executed or 1) and 100 * failed >= threshold.percent * executed
    )


def _after(target: RolloutTarget, since: datetime | None) -> bool:
    """Whether a target ended after ``since``.

    One that was uncertain first ended at its deadline, whenever the evidence came.
    """
    if since is None or target.status.completed_at is None:
        return True
    ended = target.status.completed_at
    deadline = target.status.deadline
    return (ended if deadline is None else min(ended, deadline)) > since
