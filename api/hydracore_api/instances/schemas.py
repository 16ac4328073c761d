"""Wire forms of ``/v1/instances``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hydracore_api.actions.schemas import SubsystemHealth
from hydracore_api.wire import Body, TimeText, UtcTime, View
from hydracore_crds.instance import WorkflowSlug

Text = Annotated[str, StringConstraints(min_length=1, max_length=253)]
CONVERSATION_ID = r"^[A-Za-z0-9:_-]{1,128}$"
ConversationId = Annotated[str, StringConstraints(pattern=CONVERSATION_ID, max_length=128)]
IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class CreateInstance(Body):
    """An order for an agent."""

    tier_id: Annotated[str, StringConstraints(min_length=1, max_length=63)] = Field(
        description="Name of an InstanceClass."
    )
    region_id: Annotated[str, StringConstraints(min_length=1, max_length=80)] = Field(
        description="One of the class's regions."
    )
    agent_name: Text | None = None
    customer_id: Text | None = None
    user_display_name: Text | None = None
    preset_id: Annotated[str, StringConstraints(min_length=1, max_length=100)] = (
        "personal_assistant"
    )
    manifest_id: Text | None = None
    recipe_id: Text | None = None
    website_template_slug: Text | None = None
    workflow_slugs: Annotated[list[WorkflowSlug], Field(max_length=64)] | None = None
    idempotency_key: IdempotencyKey | None = Field(
        default=None,
        description="The same key with the same body makes one instance; absent: one is made.",
    )


class InstanceCreated(View):
    """The order is accepted."""

    idempotency_key: str
    instance_id: str
    task_id: str | None = Field(description="uid of the Instance object.")
    message: str


class InstanceSummary(View):
    """One line of the list."""

    id: str
    agent_name: str | None
    status: str
    hostname: str | None
    ip_address: str | None
    provider: str | None
    region_id: str
    product_tier_name: str | None
    preset_id: str
    customer_email: str | None = Field(description="Null: customers are not recorded here.")
    workload_type: str = "agent"
    runtime_type: str = "expressclaw"
    created_at: UtcTime | None


class InstanceList(View):
    """All instances of the tenant, newest first."""

    instances: list[InstanceSummary]


class InstanceDetail(View):
    """One instance."""

    id: str
    agent_name: str | None
    status: str
    provisioning_stage: str | None
    callback_stage: str | None = Field(description="The server's newest stage report.")
    callback_seq: int = Field(description="Its number; 0 before the first.")
    health_status: str | None
    hostname: str | None
    ip_address: str | None
    vpn_ip: str | None = Field(description="Null: the server has no address in a VPN.")
    provider: str | None
    server_type_plan: str | None
    region_id: str
    preset_id: str
    workload_type: str = "agent"
    runtime_type: str = "expressclaw"
    capabilities: dict[str, bool] = Field(description="As last reported; empty when unreachable.")
    error_message: str | None
    created_at: UtcTime | None
    updated_at: UtcTime | None


class LogLine(View):
    """One line of the provision log."""

    seq: int
    stage: str
    level: str
    message: str
    created_at: UtcTime


class InstanceLogs(View):
    """The provision log, oldest first."""

    instance_id: str
    logs: list[LogLine]
    total: int


class InstanceByKey(View):
    """What an idempotency key has led to."""

    found: bool = True
    instance_id: str | None = None
    status: str | None = None
    provisioning_stage: str | None = None
    bootstrap_stage: str | None = None
    bootstrap_seq: int = 0
    hostname: str | None = None
    error_message: str | None = None
    logs: list[LogLine] = Field(default_factory=list)


class InstanceRuntime(View):
    """How the agent is, with all that helps to understand it, in every state."""

    instance_id: str
    status: str
    provisioning_stage: str | None
    bootstrap_stage: str | None
    bootstrap_seq: int
    health_status: str | None
    health_failures: int
    last_heartbeat: UtcTime | None
    openclaw_version: str | None = Field(description="Version of the runtime.")
    node_version: str | None
    uptime_seconds: float | None
    active_connections: int | None
    skills_loaded: list[str]
    error_code: str | None
    error_message: str | None
    provision_logs: list[LogLine]


class InstanceDeepHealth(View):
    """How the agent has found itself to be when it examined itself."""

    instance_id: str
    cached: bool = Field(default=False, description="Whether it is a stored report.")
    status: str = Field(description="healthy, degraded, unhealthy, or unknown: there is no report.")
    checked_at: TimeText | None
    uptime_seconds: int | None
    subsystems: dict[str, SubsystemHealth]


class InstanceDeleted(View):
    """Deletion was asked for, now or before."""

    instance_id: str
    status: Literal["deleting", "deleted"]
    already_deleted: bool = False
    message: str


class CleanedUp(View):
    """What a cleanup has begun."""

    cleaned: int = Field(description="Instances whose deletion was accepted.")
    errors: int = Field(description="Instances whose deletion was refused; they stay as they are.")
    message: str


class KeyRotated(View):
    """The agent's old key has ended."""

    instance_id: str
    status: str = Field(description="rotated: the agent fetches its new key by itself.")


class ChatMessage(Body):
    """One turn of a conversation."""

    message: Annotated[str, StringConstraints(min_length=1, max_length=8000)]
    conversation_id: ConversationId | None = Field(
        default=None, description="Absent: a new one, named in the first event."
    )
