"""Wire forms of rollouts and their targets."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hydracore_api.wire import Body, TimeText, View


class RolloutSummary(View):
    """One rollout. The targets' numbers and ``metadata_json.cancelled`` add up to the total."""

    id: str
    scope: str = Field(description="fleet or instance")
    status: str = Field(description="queued, in_progress, paused, succeeded, failed, cancelled")
    total_targets: int
    queued_targets: int = Field(description="0 while paused: the waiting show as cancelled.")
    in_progress_targets: int
    succeeded_targets: int
    failed_targets: int
    uncertain_targets: int
    initiated_from_ip: str | None
    metadata_json: dict[str, Any] = Field(
        description="bundle, version, override_window, initiated_by, paused_by, skipped, "
        "skipped_reasons, cancelled, halt_reason, message, plan_hash, wave, waves (number, name, "
        "planned, state, bakes_until, approval, approved_by, passed_at)"
    )
    created_at: TimeText | None
    completed_at: TimeText | None


class PlanRequest(Body):
    """A rollout that is thought of."""

    spec: dict[str, Any] | None = Field(
        default=None,
        description="Spec of a Rollout, as the custom resource has it (bundleName, selector or "
        "instanceNames, force, strategy, …). Absent: that of the fleet rollout.",
        examples=[
            {
                "bundleName": "runtime-expressclaw-1.1.0",
                "strategy": {"waves": [{"name": "canary", "count": 1, "bakeSeconds": 600}]},
            }
        ],
    )


class Approval(Body):
    """A person's word that a rollout may go on to its next wave."""

    approval: str = Field(
        min_length=1,
        max_length=253,
        description="What is approved, <wave>@<plan hash>: metadata_json.waves[].approval of the "
        "wave that waits.",
        examples=["1@c2abe1172c93"],
    )


class RolloutTargetView(View):
    """One instance within one rollout."""

    id: str
    rollout_id: str
    rollout_scope: str
    rollout_status: str
    instance_id: str
    bundle_hash: str
    takes_back: bool = Field(
        description="It takes back what another target of this rollout has brought to the instance."
    )
    status: str = Field(description="queued, in_progress, succeeded, failed, uncertain, cancelled")
    celery_task_id: str | None = Field(description="The order's id; null while queued.")
    scheduled_countdown_seconds: int
    last_result_status: str | None
    error_message: str | None
    detail_json: dict[str, Any] | None = Field(description="What the agent said about it.")
    created_at: TimeText | None
    started_at: TimeText | None
    completed_at: TimeText | None


class RolloutDetail(View):
    """A rollout with its targets, in the plan's order."""

    rollout: RolloutSummary
    targets: list[RolloutTargetView]


class TimelineEntry(View):
    """When one target ran."""

    target_id: str
    instance_id: str
    instance_hostname: str | None
    takes_back: bool = Field(
        description="It takes back what another target of this rollout has brought to the instance."
    )
    status: str
    last_result_status: str | None
    error_message: str | None
    scheduled_countdown_seconds: int
    created_at: TimeText | None
    started_at: TimeText | None
    completed_at: TimeText | None
    duration_seconds: float | None = Field(description="Of the newest attempt.")


class RolloutTimeline(View):
    """When each target ran, in the order of their starts."""

    rollout_id: str
    scope: str
    status: str
    total_targets: int
    total_duration_seconds: float | None = Field(description="First start to last end.")
    created_at: TimeText | None
    completed_at: TimeText | None
    timeline: list[TimelineEntry]


class RolloutEvent(View):
    """One step of a rollout or of one of its targets: what happened, when, and by whom."""

    target_id: str | None = Field(description="Null for a step of the rollout itself.")
    instance_id: str | None = Field(description="The target's.")
    seq: int = Field(description="Rises with each step of the rollout, or of the target.")
    event: str = Field(
        description="created, started, paused, halted, resumed, cancelling, cancelled, succeeded, "
        "failed, uncertain, settled (by late evidence), put_back, retried, reopened"
    )
    status: str = Field(description="The state that followed.")
    at: TimeText
    actor: str = Field(
        description="api-key NAME (ID), kubernetes-user NAME, operator; where the user is not "
        "known, kubernetes:FIELD-MANAGER or unknown."
    )
    attempt: int | None = Field(description="Of a target.")
    reason: str | None
    message: str | None


class RolloutEvents(View):
    """A page of what happened to a rollout and its targets, oldest first."""

    rollout_id: str
    total_events: int
    complete: bool = Field(
        description="False while the database, which alone has the oldest events of a rollout "
        "that is still in the cluster, is away."
    )
    events: list[RolloutEvent]


class RolloutTask(View):
    """One instance that gets the runtime."""

    rollout_id: str
    target_id: str | None = Field(description="Null until the operator has made the target.")
    instance_id: str
    hostname: str | None
    task_id: str | None = Field(description="The order's id; null while queued.")
    scheduled_countdown_seconds: int


class FleetRolloutStarted(View):
    """What a fleet rollout will do. ``total`` = ``enqueued`` + ``skipped``."""

    total: int
    enqueued: int
    skipped: int
    message: str
    warnings: list[str] = Field(
        default_factory=list, description="What speaks against a bundle: that it is in quarantine."
    )
    tasks: list[RolloutTask]


class Redeployed(View):
    """A redeployment is under way; ``task_id`` is the id of its rollout."""

    instance_id: str
    task_id: str
    status: str
    message: str
