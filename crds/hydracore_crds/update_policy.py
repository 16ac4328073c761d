"""UpdatePolicy: how a tenant wants updates; the one named ``default`` counts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hydracore_crds.base import (
    Column,
    Conditions,
    Kind,
    Resource,
    Rule,
    ShortText,
    Time,
    Wire,
    rules,
)
from hydracore_crds.policy_window import MAX_JITTER_SECONDS, MAX_WINDOWS, PolicyWindow
from hydracore_crds.singleton import only
from hydracore_crds.webhook import MAX_WEBHOOKS, Webhook

UpdateMode = Literal["auto", "notify", "disabled"]

PLATFORM_MODE: UpdateMode = "notify"
"""What holds where neither the instance nor the tenant says anything."""

DEFAULT_NAME = "default"
DEFAULT_MAX_PARALLEL = 2


WINDOW_HAS_BOTH_ENDS = Rule(
    "has(self.startHourUtc) && has(self.endHourUtc)",
    "maintenanceWindow needs both startHourUtc and endHourUtc: give the missing one, "
    "or remove maintenanceWindow to allow updates at all hours",
)


class MaintenanceWindow(Wire):
    """The hours in which updates may start, in UTC; the end is exclusive.

    A start after the end wraps midnight; equal hours mean all day.
    """

    # A rule instead of ``required``, so that the refusal says what to do.
    model_config = rules([WINDOW_HAS_BOTH_ENDS.to_schema()], required=[])

    start_hour_utc: int = Field(ge=0, le=23, description="First hour in which updates may start.")
    end_hour_utc: int = Field(ge=0, le=23, description="First hour in which they may not.")


Windows = Annotated[
    list[PolicyWindow],
    Field(max_length=MAX_WINDOWS, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
]


class UpdatePolicySpec(Wire):
    """What the tenant wants. Absent modes fall back to the platform's."""

    runtime: UpdateMode | None = Field(default=None, description="Mode for runtimes.")
    skills: UpdateMode | None = Field(default=None, description="Mode for skills.")
    mcp_servers: UpdateMode | None = Field(default=None, description="Mode for MCP servers.")
    max_parallel_rollouts: int = Field(
        default=DEFAULT_MAX_PARALLEL,
        ge=1,
        le=500,
        description="How many targets may be in flight in the tenant at once.",
    )
    maintenance_window: MaintenanceWindow | None = Field(
        default=None, description="Hours of the UTC day: one more allow window, every day."
    )
    windows: Windows = Field(
        default_factory=list,
        description="When updates may start, and when they must not. Without any allow window they "
        "may always start; else one must be open. An open deny window always wins.",
    )
    opening_jitter_seconds: int = Field(
        default=0,
        ge=0,
        le=MAX_JITTER_SECONDS,
        description="Updates begin up to so many seconds after they may, and at most half of the "
        "time that they then have, each tenant at another moment.",
    )
    notifications: list[Webhook] | None = Field(
        default=None,
        max_length=MAX_WEBHOOKS,
        description="Webhooks that are told when a rollout halts, needs somebody, or ends.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    )


class UpdatePolicyStatus(Wire):
    """What holds now. Written on change only."""

    observed_generation: int | None = None
    conditions: Conditions = Field(default_factory=list)
    window_open: bool | None = None
    next_opens_at: Time | None = None
    in_flight: int | None = Field(default=None, ge=0, description="Targets in flight.")
    webhook_public_key: ShortText | None = Field(
        default=None,
        description="The key (whpk_ and base64) with which receivers verify notifications; there "
        "once the policy names a webhook.",
    )


class UpdatePolicy(Resource):
    """A tenant's update policy (a singleton named ``default``)."""

    KIND: ClassVar[Kind] = Kind(
        kind="UpdatePolicy",
        plural="updatepolicies",
        short="hup",
        namespaced=True,
        columns=(
            Column("Runtime", ".spec.runtime"),
            Column("Parallel", ".spec.maxParallelRollouts", "integer"),
            Column("Window-Open", ".status.windowOpen", "boolean"),
            # As a text: kubectl shows dates as ages, and those to come as <invalid>.
            Column("Next-Opens", ".status.nextOpensAt"),
            Column("In-Flight", ".status.inFlight", "integer"),
            Column("Valid", '.status.conditions[?(@.type=="Valid")].status', priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        rules=(only(DEFAULT_NAME, "an UpdatePolicy", "each tenant"),),
    )

    kind: str = "UpdatePolicy"
    spec: UpdatePolicySpec = Field(default_factory=UpdatePolicySpec)
    status: UpdatePolicyStatus = Field(default_factory=UpdatePolicyStatus)
