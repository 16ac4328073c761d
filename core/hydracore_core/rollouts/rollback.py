"""Rollback: what a rollout has updated goes back to what ran before, newest first.

It begins when ``onFailure`` says so, or when a person asks for it, and never ends otherwise than
by having tried. Each update is taken back by a target of its own, within the limits, in the window
and while nobody pauses the rollout, like any other; the wave, the failure threshold, a cancel and
a yank of the rollout's own bundle do not hold it up. What agents took back by themselves when their
trial failed is no business of it: such targets have failed, and their instances run what they ran.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from hydracore_core.rollouts.expiry import is_tracked
from hydracore_core.rollouts.instances import is_there
from hydracore_core.rollouts.model import Settle, TakeBack, TakenBack, TargetDraft
from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_core.rollouts.wishes import rollback_asked_by
from hydracore_core.versions import is_ready
from hydracore_crds import Bundle, RolloutTarget
from hydracore_crds.conditions import (
    ROLLING_BACK,
    SKIP_NEWER_ROLLOUT,
    SKIP_NO_PREVIOUS,
    SKIP_NOT_FOUND,
    SKIP_PREVIOUS_BUNDLE,
)
from hydracore_crds.rollout import MAX_EXAMPLES, RollbackStatus, Skipped, SkippedExample
from hydracore_crds.rollout_target import rollback_name

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def recall(scope: TenantScope) -> None:
    """Take up rollbacks that have begun, and begin those that people ask for."""
    for rollout in scope.rollouts:
        rollout.rollback = rollout.rollout.status.rollback
        actor = rollback_asked_by(rollout.rollout)
        if rollout.rollback is None and actor is not None and not rollout.rollout.deleting:
            begin(scope, rollout, f"{actor} asked for it", actor)


def begin(scope: TenantScope, rollout: RolloutScope, reason: str, actor: str | None) -> None:
    """Have a rollout take back what it has updated, from the next plan on."""
    rollout.returning = True
    rollout.rollback = RollbackStatus(
        started_at=scope.now, requested_by=actor, reason=reason[:2048]
    )


def take_back(scope: TenantScope, rollout: RolloutScope, newer: Collection[str]) -> None:
    """Emit the targets that are missing, and say who cannot be taken back.

    Args:
        scope: The tenant.
        rollout: One whose rollback has begun.
        newer: Names of instances that a newer rollout of the slug has touched.
    """
    if rollout.rollback is None or rollout.rollout.deleting or scope.view.terminating:
        return
    if rollout.rollback.completed_at is not None:
        return
    there = {target.spec.rollback_of for target in rollout.back.all_targets()}
    drafts, left_out = [], {}
    for target in _updated(scope, rollout):
        if target.metadata.name in there:
            continue
        found = _before(scope, target, newer)
        if isinstance(found, Bundle):
            drafts.append(_draft(rollout, target, found))
        else:
            left_out[target.spec.instance_name] = found
    rollout.returning = bool(drafts or rollout.back.working or rollout.working) or any(
        is_tracked(target, scope.now) for target in rollout.uncertain
    )
    rollout.rollback = rollout.rollback.model_copy(update={"skipped": _skipped(left_out)})
    if drafts:
        scope.out.take_back.append(TakeBack(rollout.name, tuple(drafts)))


def drop_waiting(scope: TenantScope, rollout: RolloutScope) -> None:
    """Cancel what had not been started when the rollback began."""
    text = "not started: the rollout takes back what it has updated"
    scope.out.settle.extend(
        Settle(
            rollout_name=rollout.name,
            target_name=target.metadata.name,
            attempt=target.spec.attempt,
            was="queued",
            state="cancelled",
            reason=ROLLING_BACK,
            message=text,
        )
        for target in rollout.queued
    )
    rollout.waiting = []


def newest_first(rollout: RolloutScope) -> list[RolloutTarget]:
    """Return the targets that wait to take back, those of the latest updates first."""
    began = {t.metadata.name: _started(t) for t in rollout.executed_targets()}

    def key(target: RolloutTarget) -> tuple[datetime, int]:
        return began.get(target.spec.rollback_of or "", _LONG_AGO), target.spec.order

    return sorted(rollout.back.waiting, key=key, reverse=True)


def _updated(scope: TenantScope, rollout: RolloutScope) -> Iterable[RolloutTarget]:
    """Yield the targets whose instances run the rollout's digest because of it, newest first.

    One whose outcome is unknown, or that failed, counts where the instance reports the digest.
    """
    doubtful = [t for t in rollout.failed + rollout.uncertain if _reports(scope, t)]
    found = rollout.succeeded + doubtful
    return sorted(found, key=lambda t: (_started(t), t.spec.order), reverse=True)


def _reports(scope: TenantScope, target: RolloutTarget) -> bool:
    instance = scope.instances.get(target.spec.instance_name)
    runtime = instance.status.runtime if instance is not None else None
    return runtime is not None and runtime.bundle_hash == target.spec.bundle_hash


def _started(target: RolloutTarget) -> datetime:
    return target.status.started_at or _LONG_AGO


def _before(scope: TenantScope, target: RolloutTarget, newer: Collection[str]) -> Bundle | str:
    """Return the bundle that the instance ran before, or why it cannot be taken back."""
    name, digest = target.spec.instance_name, target.status.previous_bundle_hash
    if not is_there(scope, target):
        return SKIP_NOT_FOUND
    if name in newer:
        return SKIP_NEWER_ROLLOUT
    if digest is None or digest == target.spec.bundle_hash:
        return SKIP_NO_PREVIOUS
    usable = (
        bundle
        for bundle in scope.view.bundles.values()
        if bundle.spec.artifact.sha256 == digest and bundle.spec.component == "runtime"
        if is_ready(bundle) and not bundle.spec.yanked and not bundle.deleting
    )
    found = min(usable, key=lambda bundle: bundle.metadata.name, default=None)
    return found if found is not None else SKIP_PREVIOUS_BUNDLE


def _draft(rollout: RolloutScope, target: RolloutTarget, before: Bundle) -> TargetDraft:
    spec = target.spec
    back = TakenBack(target.metadata.name, before.metadata.name, before.spec.artifact.sha256)
    return TargetDraft(
        name=rollback_name(rollout.name, spec.order),
        instance_name=spec.instance_name,
        instance_id=spec.instance_id,
        order=spec.order,
        wave=spec.wave,
        back=back,
    )


def _skipped(left_out: dict[str, str]) -> Skipped | None:
    if not left_out:
        return None
    names = sorted(left_out)[:MAX_EXAMPLES]
    return Skipped(
        count=len(left_out),
        reasons=dict(sorted(Counter(left_out.values()).items())),
        examples=[SkippedExample(instance_name=n, reason=left_out[n]) for n in names],
    )
