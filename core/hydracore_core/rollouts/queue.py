"""Targets that wait: which of them are dropped before anything is started.

Rollouts are gone through from the newest to the oldest, so that each knows which instances the
newer ones of its slug have touched. A target that a newer rollout has cancelled touches nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hydracore_core.rollouts.admission import admit
from hydracore_core.rollouts.automatic import candidates, to_retry
from hydracore_core.rollouts.instances import gone, is_there
from hydracore_core.rollouts.model import Settle
from hydracore_core.rollouts.retries import decide_retries, wanted
from hydracore_core.rollouts.rollback import drop_waiting, take_back
from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_core.rollouts.wishes import cancelled_by
from hydracore_crds import RolloutTarget
from hydracore_crds.conditions import (
    ALREADY_EXECUTED,
    CANCELLED,
    INSTANCE_DELETED,
    SUPERSEDED,
)

Touched = dict[str, set[str]]
"""Names of instances that newer rollouts have touched, by slug."""


def decide_queues(scope: TenantScope) -> None:
    """Cancel queued targets, decide about retries, and admit new rollouts."""
    touched: Touched = {}
    first = _first_that_asks(scope)
    for index in range(len(scope.rollouts) - 1, -1, -1):
        rollout = scope.rollouts[index]
        artifact = rollout.rollout.status.artifact
        newer = touched.setdefault(artifact.slug, set()) if artifact is not None else set()
        _drop(scope, rollout, newer)
        _drop_back(scope, rollout, newer)
        take_back(scope, rollout, newer)
        decide_retries(scope, rollout, newer)
        rollout.retrying = to_retry(scope, rollout, newer)
        admit(scope, rollout, touched)
        if index > first:
            newer.update(_touched_by(rollout))
    for target in scope.orphans:
        if (target.status.state or "queued") == "queued" and not target.deleting:
            text = f"rollout {target.spec.rollout_name} was deleted"
            scope.out.settle.append(_cancel(target, CANCELLED, text))


def newer_touch(scope: TenantScope, rollout: RolloutScope, slug: str) -> set[str]:
    """Return the names of instances that newer rollouts of a slug have touched.

    To be asked after :func:`decide_queues`.
    """
    newer = scope.rollouts[scope.rollouts.index(rollout) + 1 :]
    pinned = ((other, other.rollout.status.artifact) for other in newer)
    same = (other for other, artifact in pinned if artifact is not None and artifact.slug == slug)
    return {name for other in same for name in _touched_by(other)}


def _first_that_asks(scope: TenantScope) -> int:
    """Return the index of the oldest rollout that minds newer ones; nothing below is touched."""
    for index, rollout in enumerate(scope.rollouts):
        fresh = rollout.growing and not rollout.stored_final
        busy = rollout.queued or fresh or rollout.rollback is not None
        if busy or any(wanted(rollout)) or any(candidates(rollout)):
            return index
    return len(scope.rollouts)


def _drop(scope: TenantScope, rollout: RolloutScope, newer: Collection[str]) -> None:
    """Cancel queued targets that are not to run any more; the others stay in ``waiting``."""
    if not rollout.queued:
        return
    if rollout.rollback is not None:
        drop_waiting(scope, rollout)
        return
    if rollout.cancel is not None:
        text = f"cancelled by {cancelled_by(rollout.rollout)} before it started"
        scope.out.settle.extend(_cancel(t, CANCELLED, text) for t in rollout.queued)
        rollout.waiting = []
        return
    if rollout.refused is not None:
        text = rollout.refused
        scope.out.settle.extend(_cancel(t, ALREADY_EXECUTED, text) for t in rollout.queued)
        rollout.waiting = []
        return
    rollout.waiting = _wanted_still(scope, rollout.queued, newer)


def _drop_back(scope: TenantScope, rollout: RolloutScope, newer: Collection[str]) -> None:
    """Likewise for targets that take back; only the rollout's deletion cancels them all."""
    queued = rollout.back.queued
    if rollout.rollout.deleting:
        text = f"cancelled by {cancelled_by(rollout.rollout)} before it started"
        scope.out.settle.extend(_cancel(target, CANCELLED, text) for target in queued)
        rollout.back.waiting = []
    elif queued:
        rollout.back.waiting = _wanted_still(scope, queued, newer)


def _wanted_still(
    scope: TenantScope, queued: Iterable[RolloutTarget], newer: Collection[str]
) -> list[RolloutTarget]:
    """Cancel those whose instance is gone, or is a newer rollout's; return the others."""
    waiting = []
    for target in queued:
        spec = target.spec
        if spec.instance_name in newer:
            text = f"a newer rollout has instance {spec.instance_name}"
            scope.out.settle.append(_cancel(target, SUPERSEDED, text))
        elif is_there(scope, target):
            waiting.append(target)
        else:
            text = gone(scope, target) or f"instance {spec.instance_name} was deleted"
            scope.out.settle.append(_cancel(target, INSTANCE_DELETED, text))
    return waiting


def _touched_by(rollout: RolloutScope) -> list[str]:
    """Return the instances that a rollout has, had, or will have its hands on."""
    groups = (
        rollout.waiting,
        rollout.in_progress,
        rollout.succeeded,
        rollout.failed,
        rollout.uncertain,
    )
    return [target.spec.instance_name for group in groups for target in group]


def _cancel(target: RolloutTarget, reason: str, text: str) -> Settle:
    return Settle(
        rollout_name=target.spec.rollout_name,
        target_name=target.metadata.name,
        attempt=target.spec.attempt,
        was="queued",
        state="cancelled",
        reason=reason,
        message=text,
    )
