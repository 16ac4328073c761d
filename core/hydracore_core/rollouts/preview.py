"""What a rollout will do if it is made now: the plan, asked before there is anything to carry out.

The rollout that is thought of joins the tenant's view. The plan's own phases choose its targets and
waves, and with these in the view they say what it starts, supersedes and waits for. So REST, the
command line and the rollout that then runs cannot differ as long as nothing changes in between;
the fingerprint tells whether it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hydracore_core.executions import Began
from hydracore_core.platform.shares import platform_limit
from hydracore_core.quarantine import warning_of
from hydracore_core.rollouts.artifacts import bundle_gate, pin
from hydracore_core.rollouts.estimate import Observed, observe
from hydracore_core.rollouts.fingerprint import fingerprint, place_of
from hydracore_core.rollouts.fit import needed
from hydracore_core.rollouts.foresight import at_once, estimate, planned_waves
from hydracore_core.rollouts.model import TargetDraft, TenantView
from hydracore_core.rollouts.plan import PHASES
from hydracore_core.rollouts.preview_model import (
    PlannedArtifact,
    PreviewLimits,
    PreviewWindow,
    RolloutPreview,
    SkippedInstance,
    Superseded,
)
from hydracore_core.rollouts.queue import newer_touch
from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_core.rollouts.selection import select
from hydracore_core.rollouts.strategy_texts import halts, pace, retries
from hydracore_core.rollouts.survey import survey
from hydracore_crds import Bundle, ObjectMeta, Rollout, RolloutTarget
from hydracore_crds.conditions import SUPERSEDED
from hydracore_crds.names import FINALIZER
from hydracore_crds.rollout import PinnedArtifact, Skipped
from hydracore_crds.rollout_target import RolloutTargetSpec

IMAGINED = "00000000-0000-4000-8000-000000000000"
"""The uid of a rollout that does not exist."""


class NoPlan(ValueError):  # noqa: N818
    """Nothing can be planned; the text says why and what to do."""


def preview(view: TenantView, wanted: Rollout, observed: Observed | None) -> RolloutPreview:
    """Return what a rollout will do.

    Args:
        view: The tenant, as it is read for a plan.
        wanted: One of the view's rollouts, or one that does not exist (without a uid), which would
            then be the newest.
        observed: How long updates took lately (:func:`~.estimate.observe`); None if nobody knows.

    Raises:
        NoPlan: There is no such bundle, or it is no runtime.
        ValueError: ``view.now`` is naive.
    """
    artifact = wanted.status.artifact or _artifact(view, wanted)
    rollout = _taken_up(view, wanted)
    chosen = _choose(view, rollout, artifact)
    scope, mine = _foresee(view, chosen.rollout, chosen.imagined)
    spec, targets = wanted.spec, mine.all_targets()
    plan_hash = wanted.status.plan_hash or fingerprint(spec, artifact, map(place_of, targets))
    return RolloutPreview(
        artifact=PlannedArtifact.model_validate(artifact.model_dump()),
        plan_hash=plan_hash,
        waves=planned_waves(mine, targets, plan_hash),
        total=len(targets),
        skipped=[
            SkippedInstance(instance_name=n, reason=r) for n, r in sorted(chosen.left.items())
        ],
        skipped_reasons=chosen.reasons,
        halts=halts(spec.strategy),
        retries=retries(spec.strategy),
        pace=pace(spec.strategy),
        limits=PreviewLimits(
            tenant=scope.limit,
            rollout=spec.strategy.max_parallel,
            platform=platform_limit(view.platform),
            at_once=at_once(scope, mine),
            in_flight=scope.taken,
        ),
        window=PreviewWindow(
            open=scope.window.open,
            changes_at=scope.window.next_change,
            overridden=spec.override_window,
            needs_seconds=_needs_seconds(view, mine),
        ),
        warnings=_warnings(view, spec.bundle_name),
        waits_for=_waits_for(mine),
        supersedes=_superseded(scope, mine, targets),
        estimate=estimate(scope, mine, observed),
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The rollout as it will be once its set is complete, with the targets not made yet."""

    rollout: Rollout
    imagined: list[RolloutTarget]
    left: dict[str, str]
    reasons: dict[str, int]


def _artifact(view: TenantView, wanted: Rollout) -> PinnedArtifact:
    name = wanted.spec.bundle_name
    bundle: Bundle | None = view.bundles.get(name)
    if bundle is None or bundle.spec.component != "runtime":
        gate = bundle_gate(name, bundle, None)
        raise NoPlan(gate.message if gate is not None else f"bundle {name} cannot be rolled out")
    return pin(bundle)


def _taken_up(view: TenantView, wanted: Rollout) -> Rollout:
    """Return the rollout as the operator holds it when it begins to plan it."""
    metadata = wanted.metadata
    held = {
        "uid": metadata.uid or IMAGINED,
        "namespace": view.namespace,
        "creation_timestamp": metadata.creation_timestamp or _later_than_all(view),
        "finalizers": sorted({*metadata.finalizers, FINALIZER}),
    }
    return wanted.model_copy(update={"metadata": metadata.model_copy(update=held)})


def _later_than_all(view: TenantView) -> datetime:
    """Return when a rollout would be made now, also where our clock is behind the cluster's."""
    made = (rollout.metadata.creation_timestamp for rollout in view.rollouts)
    known = [time for time in made if time is not None]
    return max([view.now, *known]) + timedelta(seconds=1)


def _choose(view: TenantView, rollout: Rollout, artifact: PinnedArtifact) -> _Chosen:
    """Return who gets a target; a rollout whose set is complete keeps it."""
    scope, mine = _foresee(view, rollout, ())
    if rollout.status.targets_created:
        skipped = rollout.status.skipped or Skipped()
        known = {one.instance_name: one.reason for one in skipped.examples}
        return _Chosen(rollout, [], known, dict(skipped.reasons))
    there = mine.all_targets()
    selection = select(
        rollout.spec,
        artifact,
        view.instances,
        view.policy,
        rollout_name=mine.name,
        newer=newer_touch(scope, mine, artifact.slug),
        existing=there,
        status=rollout.status,
    )
    status = rollout.status.model_copy(
        update={
            "artifact": artifact,
            "admitted_at": rollout.status.admitted_at or view.now,
            "targets_created": True,
            "counts": None,
            "waves": list(selection.waves) if selection.waves is not None else None,
            "wave": 1 if selection.waves else None,
        }
    )
    admitted = rollout.model_copy(update={"status": status})
    imagined = [_target(rollout, artifact, draft) for draft in selection.drafts]
    return _Chosen(admitted, imagined, selection.left_out, dict(selection.skipped.reasons))


def _foresee(
    view: TenantView, rollout: Rollout, imagined: Sequence[RolloutTarget]
) -> tuple[TenantScope, RolloutScope]:
    """Run the plan's phases with the rollout among the others; history has nothing against it."""
    uid = rollout.metadata.uid
    others = [other for other in view.rollouts if other.metadata.uid != uid]
    scope = survey(
        replace(
            view,
            rollouts=[*others, rollout],
            targets=[*view.targets, *imagined],
            began={**view.began, uid: Began("ours", uid)},
        )
    )
    for phase in PHASES:
        phase(scope)
    return scope, next(one for one in scope.rollouts if one.rollout.metadata.uid == uid)


def _target(rollout: Rollout, artifact: PinnedArtifact, draft: TargetDraft) -> RolloutTarget:
    return RolloutTarget(
        metadata=ObjectMeta(
            name=draft.name, namespace=rollout.metadata.namespace, uid=draft.name, generation=1
        ),
        spec=RolloutTargetSpec(
            rollout_name=rollout.metadata.name,
            instance_name=draft.instance_name,
            instance_id=draft.instance_id,
            bundle_hash=artifact.sha256,
            order=draft.order,
            wave=draft.wave,
            scheduled_countdown_seconds=draft.countdown_seconds,
        ),
    )


def _needs_seconds(view: TenantView, mine: RolloutScope) -> float | None:
    observed = None if mine.rollout.spec.override_window else observe(view.targets)
    return None if observed is None else needed(mine.rollout, observed).total_seconds()


def _warnings(view: TenantView, bundle_name: str) -> list[str]:
    bundle = view.bundles.get(bundle_name)
    warning = warning_of(bundle) if bundle is not None else None
    return [warning] if warning is not None else []


def _waits_for(mine: RolloutScope) -> str | None:
    if mine.stored_final and not mine.unfinished:
        return f"it has ended ({mine.rollout.status.state})"
    if mine.gate is not None:
        return mine.gate.message
    return mine.wait.message if mine.wait is not None and not mine.starting else None


def _superseded(
    scope: TenantScope, mine: RolloutScope, targets: Sequence[RolloutTarget]
) -> list[Superseded]:
    reached = {target.spec.instance_name for target in targets}
    names = {target.metadata.name: target.spec.instance_name for target in scope.view.targets}
    lost = Counter(
        settle.rollout_name
        for settle in scope.out.settle
        if settle.reason == SUPERSEDED
        and settle.rollout_name != mine.name
        and names.get(settle.target_name) in reached
    )
    return [Superseded(rollout_name=name, targets=number) for name, number in sorted(lost.items())]
