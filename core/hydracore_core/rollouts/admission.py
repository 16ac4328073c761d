"""Admission: fix what a rollout delivers and to whom, once its bundle may be delivered.

First the artifact is pinned, then the targets are created, then the set is complete. What is there
starts while others are still being created. Instances that were created after the pinning are no
part of the set, however long its creation takes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hydracore_core.rollouts.artifacts import bundle_gate, pin, quarantine_gate
from hydracore_core.rollouts.begin import may_admit
from hydracore_core.rollouts.finalizers import held
from hydracore_core.rollouts.fingerprint import fingerprint, place_of
from hydracore_core.rollouts.model import Admit
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.selection import select
from hydracore_crds.conditions import QUEUED


def admit(
    scope: TenantScope, rollout: RolloutScope, touched: Mapping[str, Collection[str]]
) -> None:
    """Emit an Admit while a rollout's targets are not all there, then take its set for complete.

    Or say what it waits for. The pinned artifact and the targets that are there stay as they are.

    Args:
        scope: The tenant.
        rollout: The rollout.
        touched: By slug, the names of instances that newer rollouts have touched.
    """
    if rollout.stored_final or rollout.cancel is not None or not rollout.growing:
        return
    if not held(rollout) or scope.view.terminating or rollout.refused is not None:
        return
    if rollout.rollback is not None:
        return
    spec, pinned = rollout.rollout.spec, rollout.rollout.status.artifact
    bundle = scope.view.bundles.get(spec.bundle_name)
    rollout.gate = bundle_gate(spec.bundle_name, bundle, pinned)
    rollout.gate = rollout.gate or quarantine_gate(rollout.rollout, bundle)
    if rollout.gate is not None or bundle is None or not may_admit(scope, rollout):
        return
    selection = select(
        spec,
        pinned or pin(bundle),
        scope.view.instances,
        scope.view.policy,
        rollout_name=rollout.name,
        newer=touched.get(bundle.spec.slug, ()),
        existing=rollout.all_targets(),
        status=rollout.rollout.status,
    )
    rollout.missing = len(selection.drafts)
    if pinned is not None and not selection.drafts:
        rollout.completed = selection.skipped
        rollout.plan_hash = fingerprint(spec, pinned, map(place_of, rollout.all_targets()))
        return
    scope.out.admit.append(
        Admit(
            rollout_name=rollout.name,
            artifact=pinned or pin(bundle),
            targets=selection.drafts,
            skipped=selection.skipped,
            waves=selection.waves,
            at=scope.now,
        )
    )
    creating = Gate(QUEUED, "its targets are being created")
    if pinned is None:
        rollout.gate = creating
    elif not rollout.startable:
        rollout.wait = creating
