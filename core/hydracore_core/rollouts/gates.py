"""Gates: what keeps a whole rollout from starting anything, whatever slots are free."""

from __future__ import annotations

from hydracore_core.rollouts.artifacts import bundle_gate
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.texts import at
from hydracore_core.rollouts.wishes import cancelled_by, paused_by
from hydracore_crds.conditions import (
    CANCELLING,
    DELETING,
    PAUSED,
    QUEUED,
    WAITING_FOR_WINDOW,
)


def close_gates(scope: TenantScope) -> None:
    """Set the gate of every rollout that may start nothing now; the strongest reason counts."""
    for rollout in scope.rollouts:
        if rollout.stored_final and not rollout.unfinished:
            continue
        rollout.gate = _people(scope, rollout) or rollout.gate or _circumstances(scope, rollout)
        if rollout.gate is not None:
            scope.note(rollout.subject, rollout.gate.message)


def _people(scope: TenantScope, rollout: RolloutScope) -> Gate | None:
    """Return the gate that people or the failure threshold have closed."""
    if rollout.cancel is not None:
        return Gate(CANCELLING, f"cancelled by {cancelled_by(rollout.rollout)}")
    if rollout.halt_reason is not None:
        return Gate(rollout.halt_cause, "halted: haltReason says why and what can be done")
    actor = paused_by(rollout.rollout)
    if actor is not None:
        return Gate(PAUSED, f"paused by {actor}; what is in flight finishes")
    if scope.view.terminating:
        name = scope.view.namespace
        return Gate(DELETING, f"namespace {name} is being deleted, or is no tenant any more")
    return None


def _circumstances(scope: TenantScope, rollout: RolloutScope) -> Gate | None:
    """Return the gate that is closed by the bundle, by open outcomes, or by the window."""
    spec, pinned = rollout.rollout.spec, rollout.rollout.status.artifact
    gate = bundle_gate(spec.bundle_name, scope.view.bundles.get(spec.bundle_name), pinned)
    if gate is not None:
        return gate
    if rollout.drained:
        return Gate(QUEUED, "outcomes are being settled before more is started")
    if not scope.window.open and not spec.override_window:
        opens = scope.window.next_change
        when = f"opens at {at(opens)}" if opens is not None else "never opens"
        return Gate(WAITING_FOR_WINDOW, f"the maintenance window {when}")
    return None
