"""The status of a Rollout: how far it is, and what it decided once and for all."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hydracore_crds.base import Conditions, Message, Name, Sha256, ShortText, Time, Wire
from hydracore_crds.rollout.strategy import MAX_WAVES
from hydracore_crds.transition import MAX_TRANSITIONS, Transition

RolloutState = Literal["queued", "in_progress", "paused", "succeeded", "failed", "cancelled"]
FINAL_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
MAX_EXAMPLES = 50


class Counts(Wire):
    """Targets by state; they always add up to the total."""

    total: int = Field(default=0, ge=0)
    queued: int = Field(default=0, ge=0)
    in_progress: int = Field(default=0, ge=0)
    succeeded: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    uncertain: int = Field(default=0, ge=0)
    cancelled: int = Field(default=0, ge=0)


class SkippedExample(Wire):
    """One instance that is not part of the rollout."""

    instance_name: Name
    reason: ShortText


class Skipped(Wire):
    """Instances that were looked at and left out."""

    count: int = Field(default=0, ge=0)
    reasons: dict[ShortText, int] = Field(default_factory=dict, max_length=16)
    examples: list[SkippedExample] = Field(default_factory=list, max_length=MAX_EXAMPLES)


class PinnedArtifact(Wire):
    """What this rollout delivers, fixed when it started."""

    bundle_name: Name
    slug: ShortText
    version: ShortText
    sha256: Sha256
    size_bytes: int = Field(ge=0)
    key_id: ShortText
    signature: ShortText


WaveState = Literal["waiting", "running", "baking", "awaiting_approval", "passed"]


class WaveStatus(Wire):
    """One wave, as it was planned and as it went."""

    name: ShortText | None = None
    planned: int = Field(ge=0, description="Its targets when the rollout's set was chosen.")
    state: WaveState = "waiting"
    bakes_until: Time | None = None
    approval: ShortText | None = Field(
        default=None,
        description="What the annotation hydracore.io/approve must say to approve it: number@plan.",
    )
    approved_by: ShortText | None = None
    passed_at: Time | None = None


class RollbackStatus(Wire):
    """How what was updated is taken back to the digest before; there once that has begun."""

    started_at: Time
    requested_by: ShortText | None = Field(
        default=None, description="Who asked for it; absent where onFailure did."
    )
    reason: Message = Field(description="Why, for people.")
    counts: Counts = Field(default_factory=Counts, description="Targets that take back.")
    skipped: Skipped | None = None
    completed_at: Time | None = None


class ProgressClock(Wire):
    """How long nothing has succeeded, as of the last time the clock was stopped or set going."""

    running: bool
    seconds: int = Field(ge=0, description="What it showed then.")
    since: Time = Field(description="When that was; a later success or resume sets it back to 0.")


class RolloutStatus(Wire):
    """Where it stands."""

    observed_generation: int | None = None
    state: RolloutState | None = None
    counts: Counts | None = None
    removed: Counts | None = Field(
        default=None,
        description="Targets that were deleted by hand; they stay in counts, as what they were.",
    )
    skipped: Skipped | None = None
    artifact: PinnedArtifact | None = None
    admitted_at: Time | None = Field(
        default=None,
        description="When its instances were chosen; those created later are no part of it, "
        "unless spec.dynamic lets them join.",
    )
    targets_created: bool | None = Field(
        default=None,
        description="The set of targets is complete; only with spec.dynamic it still grows.",
    )
    plan_hash: ShortText | None = Field(
        default=None,
        description="Of what is delivered to whom, in which order and waves; approvals name it.",
    )
    wave: int | None = Field(
        default=None, ge=1, description="The number of the wave that it is in, counted from 1."
    )
    waves: list[WaveStatus] | None = Field(default=None, max_length=MAX_WAVES + 1)
    rollback: RollbackStatus | None = None
    started_at: Time | None = None
    last_started_at: Time | None = Field(
        default=None, description="The latest start of a target; with staggerSeconds or ramp only."
    )
    progress_clock: ProgressClock | None = Field(
        default=None, description="With progressDeadlineSeconds only, until the rollout has ended."
    )
    completed_at: Time | None = None
    halt_reason: Message | None = None
    halted_at: Time | None = None
    resumed_at: Time | None = Field(
        default=None,
        description="The newest resume (annotation hydracore.io/resumed-at) that was honoured.",
    )
    failures_accepted_until: Time | None = Field(
        default=None,
        description="Failures up to this time no longer count towards the threshold.",
    )
    message: Message | None = None
    transitions: list[Transition] = Field(
        default_factory=list,
        max_length=MAX_TRANSITIONS,
        description="The newest steps, oldest first; history keeps all.",
    )
    conditions: Conditions = Field(default_factory=list)
