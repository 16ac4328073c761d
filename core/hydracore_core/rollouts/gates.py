"""Gates: what keeps a whole rollout from starting anything, whatever slots are free."""

from __future__ import annotations

from hydracore_core.rollouts.artifacts import bundle_gate, quarantine_gate
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.wishes import cancelled_by, paused_by
from hydracore_crds.conditions import (
    CANCELLING,
    DELETING,
    PAUSED,
    PLATFORM_FROZEN,
    QUEUED,
    WAITING_FOR_WINDOW,
)


def close_gates(scope: TenantScope) -> None:
    """Set the gate of every rollout that may start nothing now; the strongest reason counts."""
    for rollout in scope.rollouts:
        if rollout.over:
            continue
        if rollout.rollback is not None:
            rollout.gate = _of_rollback(scope, rollout)
        else:
            rollout.gate = _people(scope, rollout) or rollout.gate or _circumstances(scope, rollout)
        if rollout.gate is not None:
            scope.note(rollout.subject, rollout.gate.message)


def halted(rollout: RolloutScope) -> Gate:
    """Return the gate of a rollout that is halted."""
    return Gate(rollout.halt_cause, "halted: haltReason says why and what can be done")


def _people(scope: TenantScope, rollout: RolloutScope) -> Gate | None:
    """Return the gate that people or the failure threshold have closed."""
    if rollout.cancel is not None:
        return Gate(CANCELLING, f"cancelled by {cancelled_by(rollout.rollout)}")
    if rollout.halt_reason is not None:
        return halted(rollout)
    return _paused(rollout) or _ending(scope)


def _of_rollback(scope: TenantScope, rollout: RolloutScope) -> Gate | None:
    """Return the gate that holds up a rollback: neither a cancel nor the bundle does."""
    if rollout.rollout.deleting:
        return Gate(CANCELLING, f"cancelled by {cancelled_by(rollout.rollout)}")
    return _paused(rollout) or _ending(scope) or _frozen(scope) or _window(scope, rollout)


def _paused(rollout: RolloutScope) -> Gate | None:
    actor = paused_by(rollout.rollout)
    return Gate(PAUSED, f"paused by {actor}; what is in flight finishes") if actor else None


def _ending(scope: TenantScope) -> Gate | None:
    if not scope.view.terminating:
        return None
    name = scope.view.namespace
    return Gate(DELETING, f"namespace {name} is being deleted, or is no tenant any more")


def _circumstances(scope: TenantScope, rollout: RolloutScope) -> Gate | None:
    """Return the gate that is closed by the bundle, open outcomes, a freeze, or the window."""
    spec, pinned = rollout.rollout.spec, rollout.rollout.status.artifact
    bundle = scope.view.bundles.get(spec.bundle_name)
    gate = bundle_gate(spec.bundle_name, bundle, pinned) or quarantine_gate(rollout.rollout, bundle)
    if gate is not None:
        return gate
    if rollout.drained:
        return Gate(QUEUED, "outcomes are being settled before more is started")
    return _frozen(scope) or _window(scope, rollout)


def _frozen(scope: TenantScope) -> Gate | None:
    """Return the gate of a freeze, which ``overrideWindow`` does not open."""
    return Gate(PLATFORM_FROZEN, scope.freeze.why) if scope.freeze is not None else None


def _window(scope: TenantScope, rollout: RolloutScope) -> Gate | None:
    if scope.window.open or rollout.rollout.spec.override_window:
        return None
    return Gate(WAITING_FOR_WINDOW, scope.window.why)
