"""RolloutTarget: one instance within one rollout."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import (
    NAME_LENGTH,
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
    Uuid,
    Wire,
    immutable,
    rules,
)
from hydracore_crds.transition import MAX_TRANSITIONS, Transition

TargetState = Literal["queued", "in_progress", "succeeded", "failed", "uncertain", "cancelled"]
TERMINAL_STATES: frozenset[str] = frozenset({"succeeded", "failed", "uncertain", "cancelled"})
"""States that hold no slot; ``uncertain`` may still be settled by later evidence."""

ResultStatus = Literal["activated", "rolled_back", "rejected", "timeout", "unreachable", "aborted"]


class RolloutTargetSpec(Wire):
    """What is to be done; immutable but for ``attempt``, whose increment is the retry."""

    model_config = rules(
        immutable(
            "rolloutName",
            "instanceName",
            "instanceId",
            "bundleHash",
            "order",
            "wave",
            "rollbackOf",
            "bundleName",
            "scheduledCountdownSeconds",
        ),
        [
            Rule(
                "self.attempt == oldSelf.attempt || self.attempt == oldSelf.attempt + 1",
                "attempt can only be raised by one: that is a retry",
            ).to_schema()
        ],
    )

    rollout_name: Name
    instance_name: Name
    instance_id: Uuid
    bundle_hash: Sha256
    order: int = Field(ge=0, description="Position in the rollout's plan.")
    wave: int = Field(default=1, ge=1, le=21, description="Number of its wave, counted from 1.")
    scheduled_countdown_seconds: int = Field(
        default=0,
        ge=0,
        description="It does not start sooner than so long after the rollout's first start.",
    )
    rollback_of: Name | None = Field(
        default=None, description="The target whose update this one takes back."
    )
    bundle_name: Name | None = Field(
        default=None, description="The Bundle that is taken back to; else it is the Rollout's."
    )
    attempt: int = Field(default=1, ge=1, le=1000)


class RolloutTargetStatus(Wire):
    """What became of it."""

    observed_generation: int | None = None
    state: TargetState | None = None
    attempt: int | None = Field(default=None, ge=0)
    hostname: ShortText | None = None
    task_id: Uuid | None = Field(default=None, description="Id of the order of this attempt.")
    started_at: Time | None = None
    completed_at: Time | None = None
    deadline: Time | None = Field(
        default=None,
        description="The order's notAfter: from then on the agent neither starts nor switches.",
    )
    previous_bundle_hash: Sha256 | None = Field(
        default=None, description="What the instance ran when this was started."
    )
    last_result_status: ResultStatus | None = None
    error_message: Message | None = None
    detail: dict[Annotated[str, StringConstraints(max_length=63)], Message] | None = Field(
        default=None, max_length=32, description="What the agent said about it, for people."
    )
    transitions: list[Transition] = Field(
        default_factory=list,
        max_length=MAX_TRANSITIONS,
        description="The newest steps, oldest first; history keeps all.",
    )
    conditions: Conditions = Field(default_factory=list)


class RolloutTarget(Resource):
    """One instance within one rollout."""

    KIND: ClassVar[Kind] = Kind(
        kind="RolloutTarget",
        plural="rollouttargets",
        short="hrt",
        namespaced=True,
        columns=(
            Column("Rollout", ".spec.rolloutName"),
            Column("Instance", ".spec.instanceName"),
            Column("State", ".status.state"),
            Column("Wave", ".spec.wave", "integer", priority=1),
            Column("Attempt", ".spec.attempt", "integer"),
            Column("Result", ".status.lastResultStatus"),
            Column("Error", ".status.errorMessage", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        selectable=(".spec.rolloutName", ".spec.instanceName"),
        rules=(
            NAME_LENGTH,
            Rule(
                "!has(oldSelf.spec) || self.spec.attempt == oldSelf.spec.attempt "
                "|| (has(oldSelf.status) && has(oldSelf.status.state) "
                "&& oldSelf.status.state in ['failed', 'uncertain'])",
                "a retry needs a target that is failed or uncertain",
            ),
        ),
    )

    kind: str = "RolloutTarget"
    spec: RolloutTargetSpec
    # Defaulted by the API server on every read: a new target shows as queued without a write.
    status: RolloutTargetStatus = Field(
        default_factory=RolloutTargetStatus, json_schema_extra={"default": {"state": "queued"}}
    )


def target_name(rollout_name: str, order: int) -> str:
    """Return the name of a rollout's target: stable, readable and at most 63 characters.

    A rollout name that is too long is cut and gets a digest of the whole name, so that two long
    names with the same beginning do not share targets.
    """
    return _named(rollout_name, f"-{order:05d}")


def _named(rollout_name: str, suffix: str) -> str:
    room = 63 - len(suffix)
    if len(rollout_name) > room:
        digest = hashlib.sha256(rollout_name.encode()).hexdigest()[:8]
        rollout_name = f"{rollout_name[: room - 9].rstrip('-.')}-{digest}"
    return rollout_name + suffix


def rollback_name(rollout_name: str, order: int) -> str:
    """Return the name of the target that takes back the one at this place."""
    return _named(rollout_name, f"-{order:05d}-back")


def detail_text(detail: dict[str, Any]) -> dict[str, str]:
    """Bound an agent's detail so that it fits the schema: 32 entries, texts of 2,048 characters."""
    return {str(k)[:63]: str(v)[:2048] for k, v in list(detail.items())[:32]}
