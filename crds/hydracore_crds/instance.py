"""Instance: one AI agent with its server."""

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
    Sha256,
    ShortText,
    Slug,
    Time,
    Uuid,
    Wire,
    immutable,
    rules,
    set_once,
)
from hydracore_crds.instance_class import RegionId
from hydracore_crds.update_policy import UpdateMode

InstanceState = Literal["provisioning", "running", "failed", "error", "deleting"]
ProvisioningStage = Literal[
    "ordered", "booting", "cloud_init", "agent_enrolled", "bundle_installed", "healthy"
]
STAGES: tuple[ProvisioningStage, ...] = (
    "ordered",
    "booting",
    "cloud_init",
    "agent_enrolled",
    "bundle_installed",
    "healthy",
)
"""The way from nothing to Ready, in order."""

HealthStatus = Literal["healthy", "degraded", "unhealthy", "unreachable", "unknown"]
IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255)]
WorkflowSlug = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PresetId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class InstanceUpdatePolicy(Wire):
    """What this instance wants otherwise than its tenant."""

    runtime: UpdateMode | None = None
    skills: UpdateMode | None = None
    mcp_servers: UpdateMode | None = None


class InstanceSpec(Wire):
    """What is wanted."""

    model_config = rules(set_once("id"), immutable("className", "regionId", "idempotencyKey"))

    id: Uuid | None = Field(
        default=None,
        description="The instance's id in REST; the operator sets it to metadata.uid if absent.",
    )
    class_name: Name = Field(description="The InstanceClass to order.")
    region_id: RegionId = Field(description="One of the class's regions.")
    agent_name: ShortText | None = Field(default=None, description="Name of the agent.")
    customer_id: ShortText | None = Field(default=None, description="Whom the agent serves.")
    user_display_name: ShortText | None = Field(
        default=None, description="How the agent addresses its user."
    )
    preset_id: PresetId = Field(default="personal_assistant", description="The agent's preset.")
    manifest_id: ShortText | None = None
    recipe_id: ShortText | None = None
    website_template_slug: ShortText | None = None
    workflow_slugs: list[WorkflowSlug] | None = Field(default=None, max_length=64)
    idempotency_key: IdempotencyKey | None = Field(
        default=None, description="The key under which REST created the instance."
    )
    workload_type: Literal["agent"] = "agent"
    runtime_type: Slug = Field(
        default="expressclaw", description="Slug of the runtime bundles that fit."
    )
    update_policy: InstanceUpdatePolicy | None = None
    consent_debug_access: bool | None = Field(
        default=None,
        description="Whether the agent's conversations may be read through REST; absent: they "
        "may not.",
    )


class Bootstrap(Wire):
    """The newest stage report of the server; older ones are ignored."""

    stage: ShortText
    seq: int = Field(ge=0)


class ProviderStatus(Wire):
    """The server at its provider."""

    name: ShortText
    server_id: ShortText | None = None
    server_type: ShortText | None = None
    location: ShortText | None = None


class RuntimeStatus(Wire):
    """The runtime that the agent reports."""

    version: ShortText | None = None
    bundle_hash: Sha256 | None = None


class InstanceStatus(Wire):
    """What is."""

    observed_generation: int | None = None
    state: InstanceState | None = None
    provisioning_stage: ProvisioningStage | None = None
    bootstrap: Bootstrap | None = None
    provider: ProviderStatus | None = None
    hostname: ShortText | None = None
    ip_address: Annotated[str, StringConstraints(max_length=45)] | None = None
    agent_url: ShortText | None = Field(
        default=None, description="Where operator and API reach the agent."
    )
    agent_public_key: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="Ed25519 key (base64) with which the agent proves who it is; from enrolment.",
    )
    runtime: RuntimeStatus | None = None
    health_status: HealthStatus | None = None
    error_code: Annotated[str, StringConstraints(max_length=63)] | None = None
    error_message: Message | None = None
    ready_at: Time | None = Field(default=None, description="When it first became Ready.")
    conditions: Conditions = Field(default_factory=list)


class Instance(Resource):
    """One AI agent with its server."""

    KIND: ClassVar[Kind] = Kind(
        kind="Instance",
        plural="instances",
        short="hin",
        namespaced=True,
        columns=(
            Column("State", ".status.state"),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Stage", ".status.provisioningStage"),
            Column("Runtime", ".status.runtime.version"),
            Column("Health", ".status.healthStatus"),
            Column("Class", ".spec.className", priority=1),
            Column("Region", ".spec.regionId", priority=1),
            Column("Address", ".status.ipAddress", priority=1),
            Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        selectable=(".spec.id", ".spec.className"),
    )

    kind: str = "Instance"
    spec: InstanceSpec
    status: InstanceStatus = Field(default_factory=InstanceStatus)
