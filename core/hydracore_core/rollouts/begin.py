"""Whether a rollout may begin at all: the same work must not have run before under another uid.

History knows (see :mod:`hydracore_core.executions`). It is asked before a rollout is admitted, and
told before its first target starts, or before it ends by itself without one. So a rollout that was
deleted before it came to anything leaves no trace, and a restored one never does anything again.

A target that was started proves by itself that its rollout, whose uid it carries, has begun: what
runs goes on while history is away, also after a restart.
"""

from __future__ import annotations

from hydracore_core.executions import Began
from hydracore_core.rollouts.finalizers import held
from hydracore_core.rollouts.model import AskHistory
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.texts import at
from hydracore_crds import RolloutTarget
from hydracore_crds.conditions import ALREADY_EXECUTED, HISTORY_UNAVAILABLE, QUEUED

UNKNOWN = Began("unknown")
"""History has not answered yet."""


def look_up(scope: TenantScope) -> None:
    """Note of every unfinished rollout whether it has begun, or must not begin."""
    for rollout in scope.rollouts:
        if rollout.over:
            continue
        rollout.begun = _runs(rollout) or _fact(scope, rollout).state == "ours"
        if not rollout.begun and _fact(scope, rollout).state == "other":
            rollout.refused = _refusal(rollout, _fact(scope, rollout))
            rollout.gate = Gate(ALREADY_EXECUTED, rollout.refused)
            scope.note(rollout.subject, rollout.refused)


def may_admit(scope: TenantScope, rollout: RolloutScope) -> bool:
    """Whether history says that the rollout's work is new; if not, it is asked."""
    if rollout.begun or _fact(scope, rollout).state == "fresh":
        return True
    _ask(scope, rollout, claim=False)
    return False


def may_start(scope: TenantScope, rollout: RolloutScope) -> bool:
    """Whether history has noted that the rollout begins; if not, it is told."""
    if not rollout.begun:
        _ask(scope, rollout, claim=True)
    return rollout.begun


def note_ends(scope: TenantScope) -> None:
    """Tell history of rollouts that end by themselves without having started a target.

    Else one that had nothing to do, or that a newer one has superseded, would run after a restore.
    """
    for rollout in scope.rollouts:
        ends = rollout.admitted and not rollout.unfinished and not rollout.stored_final
        if ends and held(rollout) and rollout.cancel is None and rollout.refused is None:
            may_start(scope, rollout)


def _ask(scope: TenantScope, rollout: RolloutScope, *, claim: bool) -> None:
    scope.out.ask.append(AskHistory(rollout.name, claim=claim))
    if _fact(scope, rollout).state == "unavailable":
        text = "history (SQL) cannot be reached, so it is not known whether this ran before: "
        rollout.gate = Gate(HISTORY_UNAVAILABLE, text + "it starts by itself once it answers")
        scope.note(rollout.subject, rollout.gate.message)
    else:
        rollout.gate = Gate(QUEUED, "history is asked whether this ran before")


def _fact(scope: TenantScope, rollout: RolloutScope) -> Began:
    return scope.view.began.get(rollout.rollout.metadata.uid, UNKNOWN)


def _runs(rollout: RolloutScope) -> bool:
    """Whether a target of this very rollout has been started."""
    uid = rollout.rollout.metadata.uid
    started = (rollout.in_progress, rollout.succeeded, rollout.failed, rollout.uncertain)
    return any(_owned(target, uid) for group in started for target in group)


def _owned(target: RolloutTarget, uid: str) -> bool:
    return any(owner.uid == uid for owner in target.metadata.owner_references)


def _refusal(rollout: RolloutScope, found: Began) -> str:
    when = f" on {at(found.at)}" if found.at is not None else ""
    return (
        f"a rollout named {rollout.name} with this spec already ran{when} (uid {found.uid}); "
        "nothing was sent. To run it again, create it under another name or with a changed spec"
    )
