"""What the rollout plan reads and what it answers with.

The plan is a pure function of a :class:`TenantView`. It returns intents; the operator's executor
carries them out in the order given, and every intent can be repeated without harm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from hydracore_core.executions import Began
from hydracore_crds import (
    Bundle,
    Instance,
    PlatformPolicy,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_crds.rollout import PinnedArtifact, RolloutStatus, Skipped, WaveStatus
from hydracore_crds.rollout_target import ResultStatus, TargetState

UNCERTAIN_TRACKED_FOR = timedelta(hours=1)
"""How long after its deadline evidence is still sought for an uncertain target."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One entry of the tenant's ledger: a target that is, or may be, in flight.

    Attributes:
        task_id: The order's id, one for each attempt; the ledger's key.
        rollout_name: Rollout of the target.
        target_name: The target.
        attempt: The attempt that the order stands for.
        instance_name: Instance that receives the order.
        instance_uid: ``metadata.uid`` of that Instance, so that a namesake inherits nothing.
        deadline: The order's ``notAfter``.
    """

    task_id: str
    rollout_name: str
    target_name: str
    attempt: int
    instance_name: str
    instance_uid: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class TenantView:
    """Everything that the plan may look at, read before it runs.

    Attributes:
        namespace: The tenant's namespace.
        now: The time, aware UTC.
        began: What history says of rollouts, by uid; absent ones are unknown.
        terminating: The namespace is being deleted, or is no tenant any more: nothing starts.
        policy: The tenant's UpdatePolicy named ``default``, if any.
        platform: The PlatformPolicy named ``default``, if any.
        rollouts: All Rollouts of the namespace.
        targets: All RolloutTargets of the namespace, best sorted (:class:`.filing.Filed`).
        instances: All Instances of the namespace.
        bundles: Bundles by name.
        slots: The ledger as it was last acknowledged by the API server. Every entry counts as
            taken, also one that this plan releases; whoever frees and claims in one write leaves
            out the entries that this write frees.
        granted: How many slots the platform grants the tenant; None where it has no cap.
        followed_since: Since when this process has followed the tenant's orders. Before, nobody
            may have, so that what was not heard of then is no proof of anything; None: always.
    """

    namespace: str
    now: datetime
    policy: UpdatePolicy | None = None
    platform: PlatformPolicy | None = None
    rollouts: Sequence[Rollout] = ()
    targets: Collection[RolloutTarget] = ()
    instances: Sequence[Instance] = ()
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    slots: Sequence[Slot] = ()
    began: Mapping[str, Began] = field(default_factory=dict)
    terminating: bool = False
    granted: int | None = None
    followed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a target of a rollback stands for.

    Attributes:
        target_name: The target whose update is taken back.
        bundle_name: The Bundle that the instance ran before.
        sha256: Its digest.
    """

    target_name: str
    bundle_name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """A RolloutTarget to be created."""

    name: str
    instance_name: str
    instance_id: str
    order: int
    wave: int = 1
    back: TakenBack | None = None
    countdown_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Put the operator's finalizer on a Rollout, before anything else is done for it.

    Finished rollouts and terminating namespaces get none.
    """

    rollout_name: str


@dataclass(frozen=True, slots=True)
class AskHistory:
    """Ask history whether this rollout's work has begun before; ``claim``: else it begins now.

    Emitted until ``TenantView.began`` has an answer that lets the plan go on.
    """

    rollout_name: str
    claim: bool


@dataclass(frozen=True, slots=True)
class Admit:
    """Pin the artifact, the time, and who is skipped, unless they are; create missing targets.

    Emitted until all targets are there; creating them may take many plans, and no longer asked for
    it is to stop. A repetition leaves out targets that are there and gives the others the same
    names, as long as the instances are the same. With no targets at all it is still to be carried
    out: then the rollout has nothing to do and succeeds.

    Attributes:
        rollout_name: The rollout.
        artifact: What it delivers.
        targets: Those to be created, in the order in which to create them.
        skipped: Who is left out, as of now.
        waves: The waves as they are to be pinned; None without any.
        at: When the set was chosen; only the pinning uses it.
    """

    rollout_name: str
    artifact: PinnedArtifact
    targets: tuple[TargetDraft, ...]
    skipped: Skipped
    waves: tuple[WaveStatus, ...] | None
    at: datetime


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Create the targets that take back what the rollout has updated.

    Emitted until all of them are there; as :class:`Admit`, it may take many plans.
    """

    rollout_name: str
    targets: tuple[TargetDraft, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Claim a slot, store ``in_progress``, then send the order. Never more than the plan says."""

    rollout_name: str
    target_name: str
    instance_name: str
    instance_uid: str
    attempt: int
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Settle:
    """Write a target's state that needs no answer of the agent.

    Used for queued → cancelled, in_progress → uncertain (past its deadline), in_progress →
    cancelled (its instance is deleted). A slot, if any, is freed after the write.
    ``message`` becomes the target's ``errorMessage``. A target that is not in state ``was`` any
    more is left alone: one that has started meanwhile may have an order out.
    """

    rollout_name: str
    target_name: str
    attempt: int
    was: Literal["queued", "in_progress"]
    state: TargetState
    reason: str
    message: str
    result: ResultStatus | None = None


@dataclass(frozen=True, slots=True)
class RaiseAttempt:
    """Ask for a retry as a person would: set a failed target's ``spec.attempt`` to ``attempt``.

    Only from ``attempt`` - 1, and only as long as the target is failed: the API server sees to it.
    """

    rollout_name: str
    target_name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Requeue:
    """A retry was accepted: the target is queued again with its new attempt."""

    rollout_name: str
    target_name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class RefuseRetry:
    """A retry must not happen; say why in the target's condition, its state stays.

    The condition ``Succeeded`` gets the reason ``RetryRefused`` and the target's generation as
    ``observedGeneration``: by these the plan knows that it was said. A refusal is final for this
    attempt; a person may raise ``spec.attempt`` once more.
    """

    rollout_name: str
    target_name: str
    attempt: int
    message: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Tell the agent to abort the order (force cancel); the state is what it then reports.

    Emitted until the target's condition ``Succeeded`` has the reason ``Cancelling``, which is
    written once the agent has acknowledged the abort. Repeating it is harmless.
    """

    rollout_name: str
    target_name: str
    task_id: str


@dataclass(frozen=True, slots=True)
class Track:
    """A target in progress (or uncertain, not yet given up): ask its agent until it is settled.

    Uncertain targets are tracked until :data:`UNCERTAIN_TRACKED_FOR` after their deadline.
    """

    rollout_name: str
    target_name: str
    task_id: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """Free a slot whose target needs it no more (its stored state is terminal)."""

    task_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Resolve:
    """A slot has no target in progress: ask the agent what became of the task, then free the slot.

    So it is when the target object is gone, and when an operator died between its write of the
    ledger and its write of ``in_progress`` (no order went out then: ``in_progress`` comes first).
    Tasks that this very process is just starting are to be left alone. Without an answer the slot
    stays until its deadline has passed; then the plan releases it.
    """

    slot: Slot


@dataclass(frozen=True, slots=True)
class Report:
    """Write the rollout's status where it differs from what is stored.

    Counts alone are written at most twice a second; a change of state at once
    (:func:`hydracore_core.rollouts.status.is_urgent` tells them apart).
    """

    rollout_name: str
    status: RolloutStatus


@dataclass(frozen=True, slots=True)
class LetGo:
    """The rollout is being deleted and all is settled: archive it, then free its finalizer."""

    rollout_name: str


Intent = (
    Hold
    | AskHistory
    | Admit
    | TakeBack
    | Start
    | Settle
    | RaiseAttempt
    | Requeue
    | RefuseRetry
    | Abort
    | Track
    | Release
    | Resolve
    | Report
    | LetGo
)


@dataclass(frozen=True, slots=True)
class Note:
    """One line that explains a decision to a person.

    Attributes:
        subject: ``rollout/<name>`` or ``target/<name>`` or ``tenant``.
        text: Why it goes on, waits or stops.
    """

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer.

    Attributes:
        intents: What to do, in order: what stops or settles comes before what is reported, and
            that before what starts, so that a halt is stored before it could be forgotten.
        notes: Why, for people.
        wake_at: When time alone changes the answer (a window's edge, a deadline), if ever.
        window_open: Whether the tenant's window is open now.
        next_opens_at: When it opens next; None while it is open.
        limit: How many targets may be in flight.
        in_flight: How many slots are taken now: every ledger entry, and every target in progress
            that has none.
        wanted: How many slots it could use now, those that are taken among them, if the platform
            granted as many as the tenant's own limit.
    """

    intents: tuple[Intent, ...] = ()
    notes: tuple[Note, ...] = ()
    wake_at: datetime | None = None
    window_open: bool = True
    next_opens_at: datetime | None = None
    limit: int = 0
    in_flight: int = 0
    wanted: int = 0
