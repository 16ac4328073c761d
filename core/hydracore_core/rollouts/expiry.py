"""Whether a finished rollout may leave the cluster, and whether it has done anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from hydracore_core.rollouts.model import UNCERTAIN_TRACKED_FOR
from hydracore_core.rollouts.scope import age_key
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import FINAL_STATES

_TOUCHED = frozenset({"in_progress", "succeeded", "failed", "uncertain"})
_RETRYABLE = frozenset({"failed", "uncertain"})


def has_begun(rollout: Rollout, targets: Iterable[RolloutTarget]) -> bool:
    """Whether a rollout has sent anything, or has come to its end by itself.

    Args:
        rollout: The rollout.
        targets: Its own targets.
    """
    if rollout.status.state in {"succeeded", "failed"}:
        return True
    return any(target.status.state in _TOUCHED for target in targets)


def still_needed(
    rollout: Rollout,
    rollouts: Collection[Rollout],
    targets: Collection[RolloutTarget],
    *,
    now: datetime,
) -> str | None:
    """Return why a finished rollout must stay in the cluster; None if nothing needs it.

    It stays while evidence about an uncertain target is sought. And it stays while it keeps an
    older rollout of its bundle from undoing what it did: a retry there is refused, and one that
    was not admitted yet skips instances, because a newer rollout has touched them.

    Args:
        rollout: The finished rollout.
        rollouts: All of its namespace.
        targets: All of its namespace.
        now: The time.
    """
    own = _of(rollout, targets)
    if any(is_tracked(target, now) for target in own):
        return "evidence about an uncertain target is still sought"
    artifact = rollout.status.artifact
    touched = _touched(own)
    if artifact is None or not touched:
        return None
    slug, born = artifact.slug, age_key(rollout)
    for older in rollouts:
        theirs = older.status.artifact
        if older.deleting or age_key(older) >= born or (theirs and theirs.slug != slug):
            continue
        if theirs is None and older.status.state not in FINAL_STATES:
            return f"the older rollout {older.metadata.name} has not been admitted yet"
        open_ = _retryable(_of(older, targets)) & touched
        for newer in rollouts if open_ else ():
            also = newer.status.artifact
            other = newer is not rollout and newer.metadata.uid != rollout.metadata.uid
            if other and also and also.slug == slug and age_key(newer) > age_key(older):
                open_ -= _touched(_of(newer, targets)) if not newer.deleting else set()
        if open_:
            name = older.metadata.name
            return f"a retry of the older rollout {name} would undo it on {min(open_)}"
    return None


def is_tracked(target: RolloutTarget, now: datetime) -> bool:
    """Whether evidence about an uncertain target is still sought."""
    deadline = target.status.deadline
    uncertain = target.status.state == "uncertain" and deadline is not None
    return uncertain and deadline is not None and now < deadline + UNCERTAIN_TRACKED_FOR


def _of(rollout: Rollout, targets: Iterable[RolloutTarget]) -> list[RolloutTarget]:
    uid = rollout.metadata.uid
    return [t for t in targets if any(o.uid == uid for o in t.metadata.owner_references)]


def _touched(targets: Iterable[RolloutTarget]) -> set[str]:
    return {t.spec.instance_name for t in targets if t.status.state in _TOUCHED}


def _retryable(targets: Iterable[RolloutTarget]) -> set[str]:
    return {t.spec.instance_name for t in targets if t.status.state in _RETRYABLE}
