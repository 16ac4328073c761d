"""Rollout: one bundle to many instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import (
    Column,
    Conditions,
    Kind,
    Message,
    Name,
    Resource,
    Rule,
    Sha256,
    ShortText,
    Time,
    Wire,
    immutable,
    rules,
)
from hydracore_crds.ramp import Ramp
from hydracore_crds.transition import MAX_TRANSITIONS, Transition

RolloutState = Literal["queued", "in_progress", "paused", "succeeded", "failed", "cancelled"]
FINAL_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
CancelMode = Literal["Graceful", "Force"]
Scope = Literal["fleet", "instance"]
DEFAULT_TARGET_TIMEOUT = 900
MAX_EXAMPLES = 50
MAX_WAVES = 20
MAX_RETRIES = 10

LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]


class Selector(Wire):
    """Which instances of the namespace, by their labels. An empty one means all."""

    match_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=16)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items())


class FailureThreshold(Wire):
    """When to halt: at so many failures, or at such a share of the executed targets."""

    model_config = rules(
        [
            Rule(
                "has(self.count) != has(self.percent)",
                "failureThreshold needs either count or percent, not both: remove one",
            ).to_schema(),
            Rule(
                "!has(self.minExecuted) || has(self.percent)",
                "failureThreshold.minExecuted goes with percent only",
            ).to_schema(),
        ]
    )

    count: int | None = Field(default=None, ge=1, le=10000)
    percent: int | None = Field(default=None, ge=1, le=100)
    min_executed: int | None = Field(default=None, ge=1, le=10000)


class Wave(Wire):
    """A part of the targets, and what must hold before the next part begins."""

    model_config = rules(
        [
            Rule(
                "(has(self.count) ? 1 : 0) + (has(self.percent) ? 1 : 0) "
                "+ (has(self.selector) ? 1 : 0) == 1",
                "a wave needs exactly one of count, percent and selector",
            ).to_schema(),
        ]
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = Field(
        default=None, description="For people, such as canary."
    )
    count: int | None = Field(default=None, ge=1, le=10000, description="So many targets.")
    percent: int | None = Field(
        default=None, ge=1, le=100, description="So many percent of all targets, rounded up."
    )
    selector: Selector | None = Field(
        default=None, description="The targets whose instances carry these labels."
    )
    success_percent: int = Field(
        default=100,
        ge=0,
        le=100,
        description="So many percent of those that ran must have succeeded, or it halts.",
    )
    bake_seconds: int = Field(
        default=0,
        ge=0,
        le=604800,
        description="How long all that was updated must then stay healthy.",
    )
    approval: bool = Field(
        default=False, description="Then a person must approve before the next wave begins."
    )


class Strategy(Wire):
    """How fast, in which steps, and when to stop."""

    model_config = rules(
        [
            Rule(
                "!has(self.ramp) || self.staggerSeconds == 0",
                "ramp and staggerSeconds exclude each other: remove one",
            ).to_schema(),
        ]
    )

    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=500,
        description="Targets of this rollout in flight at once; never above the policy's limit.",
    )
    failure_threshold: FailureThreshold | None = Field(
        default=None, description="Default: one failure."
    )
    waves: list[Wave] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_WAVES,
        description="In this order; targets that are left are one more wave at the end.",
    )
    on_failure: Literal["pause", "continue", "rollback"] = Field(
        default="pause",
        description="At the failure threshold, or when a wave went badly: wait for a person, mind "
        "no failure, or take back what was updated.",
    )
    uncertain_counts_as: Literal["failed", "ignored"] = Field(
        default="failed",
        description="What an uncertain target is for failureThreshold and a wave's share.",
    )
    progress_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=604800,
        description="Halt after so long without a success; stands still while it may not go on.",
    )
    retry_limit: int = Field(
        default=0,
        ge=0,
        le=MAX_RETRIES,
        description="How often the operator tries a failed target again by itself.",
    )
    retry_backoff_seconds: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="Wait before the first such retry; doubles each time, an hour at most.",
    )
    stagger_seconds: int = Field(
        default=0, ge=0, le=3600, description="Least time between two starts of this rollout."
    )
    ramp: Ramp | None = Field(
        default=None, description="How many may start in a minute; grows with what succeeds."
    )
    target_timeout_seconds: int = Field(
        default=DEFAULT_TARGET_TIMEOUT,
        ge=1,
        le=86400,
        description="How long a target may be in progress before its outcome is uncertain.",
    )


class RolloutSpec(Wire):
    """What is wanted; immutable but for ``paused`` and ``cancel``."""

    model_config = rules(
        immutable(
            "bundleName",
            "scope",
            "selector",
            "instanceNames",
            "dynamic",
            "force",
            "onlyAuto",
            "overrideWindow",
            "initiatedBy",
            "initiatedFromIP",
            "strategy",
        ),
        [
            Rule(
                "!has(self.selector) || !has(self.instanceNames)",
                "selector and instanceNames exclude each other: remove one",
            ).to_schema(),
            Rule(
                "!(self.onlyAuto && self.force)",
                "onlyAuto and force exclude each other: a redeploy is a person's wish",
            ).to_schema(),
            Rule(
                "self.scope != 'instance' "
                "|| (has(self.instanceNames) && self.instanceNames.size() == 1)",
                "scope 'instance' needs instanceNames with exactly one name",
            ).to_schema(),
            Rule(
                "!has(oldSelf.cancel) || (has(self.cancel) "
                "&& (self.cancel == oldSelf.cancel || self.cancel == 'Force'))",
                "cancel cannot be taken back: it goes from absent to Graceful to Force",
            ).to_schema(),
        ],
    )

    bundle_name: Name = Field(description="The Bundle to roll out.")
    scope: Scope = "fleet"
    selector: Selector | None = None
    instance_names: list[Name] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    dynamic: bool = Field(
        default=False,
        description="Instances that match later join, in the last wave, until it has ended.",
    )
    force: bool = Field(
        default=False, description="Also where the digest is already there: redeploy."
    )
    only_auto: bool = Field(
        default=False,
        description="Only instances whose update policy for runtimes is auto, and that are known "
        "to run an older version. So are the rollouts that the operator makes by itself.",
    )
    override_window: bool = Field(
        default=False, description="Start outside the maintenance window too (emergencies)."
    )
    paused: bool = Field(default=False, description="Start nothing more; what runs may finish.")
    cancel: CancelMode | None = Field(
        default=None, description="Graceful drops what is queued; Force also aborts what runs."
    )
    initiated_by: ShortText | None = None
    initiated_from_ip: Annotated[str, StringConstraints(max_length=45)] | None = Field(
        default=None, alias="initiatedFromIP"
    )
    strategy: Strategy = Field(default_factory=Strategy)


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


class Rollout(Resource):
    """One bundle to many instances, within the window and the limits of the tenant's policy."""

    KIND: ClassVar[Kind] = Kind(
        kind="Rollout",
        plural="rollouts",
        short="hro",
        namespaced=True,
        columns=(
            Column("State", ".status.state"),
            Column("Bundle", ".spec.bundleName"),
            Column("Wave", ".status.wave", "integer"),
            Column("Total", ".status.counts.total", "integer"),
            Column("OK", ".status.counts.succeeded", "integer"),
            Column("Failed", ".status.counts.failed", "integer"),
            Column("Running", ".status.counts.inProgress", "integer"),
            Column("Queued", ".status.counts.queued", "integer", priority=1),
            Column("Uncertain", ".status.counts.uncertain", "integer", priority=1),
            Column("Skipped", ".status.skipped.count", "integer", priority=1),
            Column("Message", ".status.message", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        selectable=(".spec.bundleName",),
    )

    kind: str = "Rollout"
    spec: RolloutSpec
    status: RolloutStatus = Field(default_factory=RolloutStatus)
