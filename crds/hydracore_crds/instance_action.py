"""InstanceAction: one operation on one instance, run at most once."""

from __future__ import annotations

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
    ShortText,
    Time,
    Uuid,
    Wire,
    immutable,
    rules,
)

ActionName = Literal[
    "power-cycle", "reboot", "run-diagnostics", "clear-circuit-breakers", "apply-updates"
]
ActionState = Literal["pending", "running", "succeeded", "failed", "uncertain"]
FINISHED_STATES: frozenset[str] = frozenset({"succeeded", "failed", "uncertain"})
"""States in which nothing is carried out any more; evidence may still settle ``uncertain``."""

DetailKey = Annotated[str, StringConstraints(min_length=1, max_length=63)]
MAX_DETAILS = 32
MAX_DETAIL_TEXT = 1024
DetailText = Annotated[str, StringConstraints(max_length=MAX_DETAIL_TEXT)]

PARAMETERS_FIT = Rule(
    "!has(self.parameters) || self.action == 'apply-updates'",
    "parameters are for the action apply-updates only: leave them out",
)


class ActionParameters(Wire):
    """How ``apply-updates`` goes about it."""

    force: bool = Field(default=False, description="Apply again what is current already.")
    restart_agent: bool = Field(
        default=False, description="Restart the agent's process afterwards."
    )


class InstanceActionSpec(Wire):
    """What is to be done; immutable."""

    model_config = rules(
        immutable("instanceName", "action", "parameters", "requestedBy"),
        [PARAMETERS_FIT.to_schema()],
    )

    instance_name: Name = Field(description="The Instance, in the same namespace.")
    action: ActionName = Field(
        description="power-cycle restarts the agent's process, reboot the whole server; "
        "run-diagnostics makes a live deep health report; clear-circuit-breakers closes those "
        "of the agent's model providers; apply-updates applies pending configuration."
    )
    parameters: ActionParameters | None = None
    requested_by: ShortText | None = Field(
        default=None, description="Who asked; set by HydraCore's own accounts only."
    )


class SubsystemReport(Wire):
    """One line of a deep health report."""

    status: Annotated[str, StringConstraints(max_length=32)]
    message: DetailText = ""
    latency_us: int | None = Field(
        default=None, ge=0, description="How long the check took, in microseconds."
    )


class Diagnostics(Wire):
    """A deep health report, as the agent made it."""

    status: Annotated[str, StringConstraints(max_length=32)]
    checked_at: Time
    uptime_seconds: int = Field(ge=0)
    subsystems: dict[DetailKey, SubsystemReport] = Field(
        default_factory=dict, max_length=MAX_DETAILS
    )


class InstanceActionStatus(Wire):
    """What became of it."""

    observed_generation: int | None = None
    state: ActionState | None = None
    instance_id: Uuid | None = Field(
        default=None, description="Id of the Instance that it is for, so that no namesake has it."
    )
    started_at: Time | None = None
    deadline: Time | None = Field(
        default=None, description="Without evidence until then it ends as uncertain or failed."
    )
    completed_at: Time | None = None
    duration_ms: int | None = Field(default=None, ge=0)
    message: Message | None = None
    detail: dict[DetailKey, DetailText] | None = Field(
        default=None, max_length=MAX_DETAILS, description="Facts about the run, for people."
    )
    diagnostics: Diagnostics | None = Field(
        default=None, description="The report that run-diagnostics made."
    )
    conditions: Conditions = Field(default_factory=list)


class InstanceAction(Resource):
    """One operation on one instance, run at most once."""

    KIND: ClassVar[Kind] = Kind(
        kind="InstanceAction",
        plural="instanceactions",
        short="hac",
        namespaced=True,
        columns=(
            Column("Instance", ".spec.instanceName"),
            Column("Action", ".spec.action"),
            Column("State", ".status.state"),
            Column("Reason", '.status.conditions[?(@.type=="Succeeded")].reason'),
            Column("Duration-ms", ".status.durationMs", "integer", priority=1),
            Column("Requested-By", ".spec.requestedBy", priority=1),
            Column("Message", ".status.message", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        selectable=(".spec.instanceName", ".spec.action"),
    )

    kind: str = "InstanceAction"
    spec: InstanceActionSpec
    # Defaulted by the API server on every read: a new action shows as pending without a write.
    status: InstanceActionStatus = Field(
        default_factory=InstanceActionStatus, json_schema_extra={"default": {"state": "pending"}}
    )
