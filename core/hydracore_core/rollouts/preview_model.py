"""What a preview answers: the plan of one rollout, in the form that every door shows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hydracore_crds.base import Time
from hydracore_crds.rollout_target import TargetState


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlannedArtifact(_Part):
    """What is delivered."""

    bundle_name: str
    slug: str
    version: str
    sha256: str
    size_bytes: int


class PlannedTarget(_Part):
    """One instance that gets the bundle."""

    order: int = Field(description="Its place in the queue, from 0.")
    instance_name: str
    instance_id: str
    countdown_seconds: int = Field(
        description="It starts so long after the first, or later. A ramp's are those of a rollout "
        "in which all succeeds at once."
    )
    state: TargetState = Field(description="queued, unless the rollout runs already.")


class PlannedWave(_Part):
    """Instances that are updated together, and what must hold before the next wave begins."""

    number: int = Field(description="From 1.")
    name: str | None
    targets: list[PlannedTarget]
    success_percent: int | None = Field(
        description="So many percent of those that ran must have succeeded; null where nothing "
        "follows, or where failures do not stop it."
    )
    bake_seconds: int = Field(description="So long all updated instances must then stay healthy.")
    approval: str | None = Field(
        description="What a person must then approve; null where nobody is asked."
    )


class SkippedInstance(_Part):
    """An instance that gets nothing, and why."""

    instance_name: str
    reason: str


class Superseded(_Part):
    """What an older rollout loses to this one."""

    rollout_name: str
    targets: int = Field(description="So many of its targets that still wait are cancelled.")


class PreviewLimits(_Part):
    """How many are updated at once."""

    tenant: int = Field(description="The policy's maxParallelRollouts.")
    rollout: int | None = Field(description="The strategy's maxParallel.")
    platform: int | None = Field(
        description="How many the platform lets be in flight over all tenants; null without a cap."
    )
    at_once: int = Field(
        description="The smallest of these, if no other tenant takes any of the platform's."
    )
    in_flight: int = Field(description="How many the tenant has in flight now, over all rollouts.")


class PreviewWindow(_Part):
    """The tenant's maintenance window now."""

    open: bool
    changes_at: Time | None = Field(description="When it closes or opens next; null for never.")
    overridden: bool = Field(description="This rollout does not wait for it.")
    needs_seconds: float | None = Field(
        description="For so long it must stay open for a target to start: how long 19 of 20 of the "
        "newest updates took, the target's timeout at most; null where nobody knows or asks."
    )


class Estimate(_Part):
    """When it will have ended, if all goes well; only where durations were observed."""

    ends_at: Time | None
    seconds_per_target: float | None = Field(description="The average that it was made with.")
    observed: int = Field(description="Of so many updates of this tenant.")
    notes: list[str] = Field(description="What it takes for granted, or why there is none.")


class RolloutPreview(_Part):
    """What a rollout will do if it is made now."""

    artifact: PlannedArtifact
    plan_hash: str = Field(description="Of the plan; the Rollout's status.planHash, unchanged.")
    waves: list[PlannedWave] = Field(description="One without gates where there are none.")
    total: int = Field(description="How many instances get the bundle.")
    skipped: list[SkippedInstance] = Field(description="By name; every instance looked at.")
    skipped_reasons: dict[str, int]
    halts: str = Field(description="When failures halt it.")
    retries: str = Field(
        description="How often a failed target is tried again by itself, and when."
    )
    pace: str = Field(description="How far apart starts are.")
    limits: PreviewLimits
    window: PreviewWindow
    warnings: list[str] = Field(description="What speaks against it: the bundle is in quarantine.")
    waits_for: str | None = Field(description="Why nothing would start now; null if it would.")
    supersedes: list[Superseded]
    estimate: Estimate
