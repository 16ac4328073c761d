"""The operator's hold on a rollout: taken before anything is done, given back at the very end."""

from __future__ import annotations

from hydracore_core.rollouts.model import Hold, LetGo
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_crds.conditions import QUEUED
from hydracore_crds.names import FINALIZER


def held(rollout: RolloutScope) -> bool:
    """Whether the rollout carries the operator's finalizer."""
    return FINALIZER in rollout.rollout.metadata.finalizers


def hold(scope: TenantScope) -> None:
    """Emit a Hold for every unfinished rollout that has no finalizer; it starts nothing yet."""
    for rollout in scope.rollouts:
        if held(rollout) or rollout.over:
            continue
        rollout.gate = Gate(QUEUED, "the operator is about to take it up")
        if not rollout.rollout.deleting and not scope.view.terminating:
            scope.out.hold.append(Hold(rollout.name))


def let_go(scope: TenantScope) -> None:
    """Emit a LetGo for every rollout in deletion whose end is stored and that holds no slot."""
    for rollout in scope.rollouts:
        if not rollout.rollout.deleting or not held(rollout):
            continue
        if rollout.over and rollout.taken == 0:
            scope.out.let_go.append(LetGo(rollout.name))
        else:
            scope.note(rollout.subject, "is being deleted: what is in flight is settled first")
