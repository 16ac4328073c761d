"""Retries: ``spec.attempt`` above ``status.attempt`` on a failed or uncertain target.

Whoever raises it, by REST or kubectl, asks for the identical pinned artifact once more; so does the
operator (:mod:`hydracore_core.rollouts.automatic`). A retry reopens a finished rollout; while the
rollout is paused or halted the target waits like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hydracore_core.rollouts.instances import gone
from hydracore_core.rollouts.model import RefuseRetry, Requeue
from hydracore_core.rollouts.scope import RolloutScope, TenantScope, queue_key
from hydracore_core.rollouts.wishes import cancelled_by
from hydracore_crds import RolloutTarget
from hydracore_crds.base import find
from hydracore_crds.conditions import RETRY_REFUSED, SUCCEEDED


def wanted(rollout: RolloutScope) -> Iterator[RolloutTarget]:
    """Yield the targets for which a retry is asked that was neither made nor refused yet."""
    groups = (rollout.failed, rollout.uncertain, rollout.back.failed, rollout.back.uncertain)
    for group in groups:
        for target in group:
            status = target.status
            attempt = status.attempt
            if attempt is not None and target.spec.attempt > attempt and not refused(target):
                yield target


def decide_retries(scope: TenantScope, rollout: RolloutScope, newer: Collection[str]) -> None:
    """Emit a Requeue or a RefuseRetry for every retry that is asked for.

    Args:
        scope: The tenant.
        rollout: The rollout.
        newer: Names of instances that a newer rollout of the same slug has touched.
    """
    if scope.view.terminating or rollout.rollout.deleting:
        return
    for target in sorted(wanted(rollout), key=queue_key):
        name, attempt = target.metadata.name, target.spec.attempt
        why = _objection(scope, rollout, target, newer)
        if why is None:
            scope.out.retry.append(Requeue(rollout.name, name, attempt))
        else:
            scope.out.retry.append(RefuseRetry(rollout.name, name, attempt, why))
            scope.note(f"target/{name}", why)


def refused(target: RolloutTarget) -> bool:
    """Whether the retry that is asked for has been refused."""
    condition = find(target.status.conditions, SUCCEEDED)
    return (
        condition is not None
        and condition.reason == RETRY_REFUSED
        and (condition.observed_generation or 0) >= target.metadata.generation
    )


def _objection(
    scope: TenantScope, rollout: RolloutScope, target: RolloutTarget, newer: Collection[str]
) -> str | None:
    if target.spec.rollback_of is None and rollout.rollback is not None:
        return "no retry: the rollout takes back what it has updated; start a new one instead"
    if target.spec.rollback_of is None and rollout.cancel is not None:
        by = cancelled_by(rollout.rollout)
        return f"no retry: the rollout is cancelled by {by}; start a new rollout instead"
    lost = gone(scope, target)
    if lost is not None:
        return f"no retry: {lost}"
    if target.spec.instance_name in newer:
        return (
            f"no retry: a newer rollout has touched instance {target.spec.instance_name}; "
            "redeploy to it instead"
        )
    return None
