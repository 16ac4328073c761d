"""Who belongs to a rollout, who is left out and why. The plan and REST's previews ask the same.

An instance is matched by scope, selector or name; matched ones are left out where they run
another runtime type, do not run, want no updates, have the digest already, have been touched by a
newer rollout, or are known to be unreachable (the first that applies is the reason). A redeploy
(``force``) minds neither the policy nor the digest. A rollout for those with the policy auto
(``onlyAuto``) leaves out all others, and those that do not run an older version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hydracore_core.rollouts.division import divide, planned
from hydracore_core.rollouts.instances import instance_id, updates_automatic, updates_disabled
from hydracore_core.rollouts.model import TargetDraft
from hydracore_core.rollouts.ramp import countdown
from hydracore_core.versions import is_newer, parse
from hydracore_crds import Instance, RolloutTarget, UpdatePolicy
from hydracore_crds.conditions import (
    SKIP_NEWER_ROLLOUT,
    SKIP_NOT_AUTO,
    SKIP_NOT_FOUND,
    SKIP_NOT_OLDER,
    SKIP_NOT_RUNNING,
    SKIP_OTHER_RUNTIME,
    SKIP_POLICY_DISABLED,
    SKIP_UNREACHABLE,
    SKIP_UP_TO_DATE,
)
from hydracore_crds.rollout import (
    MAX_EXAMPLES,
    PinnedArtifact,
    RolloutSpec,
    RolloutStatus,
    Selector,
    Skipped,
    SkippedExample,
    Strategy,
    WaveStatus,
)
from hydracore_crds.rollout_target import target_name


@dataclass(frozen=True, slots=True)
class Selection:
    """Who gets a target, in order, and who does not.

    Attributes:
        drafts: Targets to be created.
        skipped: Count, reasons and examples of those left out.
        waves: The waves as they are pinned at the start; None without any.
        left_out: Every instance that is left out, with its reason, by name.
    """

    drafts: tuple[TargetDraft, ...]
    skipped: Skipped
    waves: tuple[WaveStatus, ...] | None
    left_out: dict[str, str]


def select(
    spec: RolloutSpec,
    artifact: PinnedArtifact,
    instances: Iterable[Instance],
    policy: UpdatePolicy | None,
    *,
    rollout_name: str,
    newer: Collection[str] = (),
    existing: Sequence[RolloutTarget] = (),
    status: RolloutStatus | None = None,
) -> Selection:
    """Return whom a rollout reaches.

    Args:
        spec: The rollout.
        artifact: What it delivers.
        instances: All instances of the tenant.
        policy: The tenant's policy, if any.
        rollout_name: From which the targets' names are made.
        newer: Names of instances that a newer rollout of the same slug has touched.
        existing: Targets that were created already; they keep their places and are no drafts.
        status: What was pinned at the start, if anything: instances that were created after it
            are not looked at, and the waves keep their sizes.
    """
    status = status or RolloutStatus()
    chosen: dict[str, Instance] = {}
    left_out: dict[str, str] = {}
    have = {target.spec.instance_name for target in existing}
    matched = sorted(
        _matched(spec, instances, None if spec.dynamic else status.admitted_at),
        key=lambda i: i.metadata.name,
    )
    for instance in matched:
        name = instance.metadata.name
        reason = None if name in have else skip_reason(instance, spec, artifact, policy, newer)
        if reason is None:
            chosen[name] = instance
        else:
            left_out[name] = reason
    found = {instance.metadata.name for instance in matched}
    for name in sorted(set(spec.instance_names or ()) - found - have):
        left_out[name] = SKIP_NOT_FOUND
    waves = spec.strategy.waves or ()
    there = {target.spec.instance_name: target.spec.wave for target in existing}
    numbers = divide(waves, chosen, there, status.waves)
    return Selection(
        drafts=_drafts(rollout_name, spec.strategy, chosen, existing, numbers),
        skipped=_skipped(left_out),
        waves=planned(waves, numbers),
        left_out=left_out,
    )


def _matched(
    spec: RolloutSpec, instances: Iterable[Instance], born_by: datetime | None
) -> Iterable[Instance]:
    names = None if spec.instance_names is None else set(spec.instance_names)
    selector = spec.selector or Selector()
    for instance in instances:
        metadata = instance.metadata
        born = metadata.creation_timestamp
        if born_by is not None and born is not None and born > born_by:
            continue
        if names is not None:
            if metadata.name in names:
                yield instance
        elif selector.matches(metadata.labels):
            yield instance


def skip_reason(
    instance: Instance,
    spec: RolloutSpec,
    artifact: PinnedArtifact,
    policy: UpdatePolicy | None,
    newer: Collection[str] = (),
) -> str | None:
    """Return why a matched instance is left out; None if it is not. See :func:`select`."""
    status = instance.status
    if instance.spec.runtime_type != artifact.slug:
        return SKIP_OTHER_RUNTIME
    if instance.deleting or status.state != "running":
        return SKIP_NOT_RUNNING
    needless = None if spec.force else _needless(instance, spec, artifact, policy)
    if needless is not None:
        return needless
    if instance.metadata.name in newer:
        return SKIP_NEWER_ROLLOUT
    return SKIP_UNREACHABLE if status.health_status == "unreachable" else None


def _needless(
    instance: Instance, spec: RolloutSpec, artifact: PinnedArtifact, policy: UpdatePolicy | None
) -> str | None:
    """Return why an instance wants or needs no update; a redeploy does not ask."""
    if updates_disabled(instance, policy):
        return SKIP_POLICY_DISABLED
    if spec.only_auto and not updates_automatic(instance, policy):
        return SKIP_NOT_AUTO
    runtime = instance.status.runtime
    if runtime is not None and runtime.bundle_hash == artifact.sha256:
        return SKIP_UP_TO_DATE
    if spec.only_auto and not _runs_older(instance, artifact.version):
        return SKIP_NOT_OLDER
    return None


def _runs_older(instance: Instance, version: str) -> bool:
    running = parse(instance.status.runtime.version) if instance.status.runtime else None
    return running is not None and is_newer(version, str(running))


def _drafts(
    rollout_name: str,
    strategy: Strategy,
    chosen: dict[str, Instance],
    existing: Sequence[RolloutTarget],
    numbers: Mapping[str, int],
) -> tuple[TargetDraft, ...]:
    """Give every chosen instance a place: its position by wave and name, unless that is taken.

    So an admission that was interrupted goes on with the very names it would have used.
    """
    have = {target.spec.instance_name for target in existing}
    taken = {target.spec.order for target in existing}
    names = sorted(have | chosen.keys(), key=lambda name: (numbers[name], name))
    behind = max([len(names) - 1, *taken])
    drafts = []
    for position, name in enumerate(names):
        if name in have:
            continue
        order = position
        if order in taken:
            behind += 1
            order = behind
        drafts.append(
            TargetDraft(
                name=target_name(rollout_name, order),
                instance_name=name,
                instance_id=instance_id(chosen[name]),
                order=order,
                wave=numbers[name],
                countdown_seconds=countdown(strategy, order),
            )
        )
    return tuple(drafts)


def _skipped(left_out: dict[str, str]) -> Skipped:
    names = sorted(left_out)[:MAX_EXAMPLES]
    return Skipped(
        count=len(left_out),
        reasons=dict(sorted(Counter(left_out.values()).items())),
        examples=[SkippedExample(instance_name=n, reason=left_out[n]) for n in names],
    )
