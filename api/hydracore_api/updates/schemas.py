"""Wire forms of update policies and available updates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hydracore_api.wire import Body, TimeText, View
from hydracore_crds.update_policy import UpdateMode

Source = Literal["instance_override", "tenant_default", "platform_default"]
Hour = Annotated[int, Field(ge=0, le=23, strict=True)]


class FleetPolicy(View):
    """The tenant's defaults. Both hours null: updates may start at any time."""

    runtime_default: UpdateMode = "notify"
    skills_default: UpdateMode = "notify"
    mcp_servers_default: UpdateMode = "notify"
    max_parallel_rollouts: int = Field(default=2, description="Targets in flight in the tenant.")
    maintenance_window_start_hour_utc: int | None = None
    maintenance_window_end_hour_utc: int | None = Field(default=None, description="Exclusive.")


class FleetPolicyChange(Body):
    """What to change: absent leaves as it is, null goes back to the platform's default."""

    runtime_default: UpdateMode | None = None
    skills_default: UpdateMode | None = None
    mcp_servers_default: UpdateMode | None = None
    max_parallel_rollouts: Annotated[int, Field(ge=1, le=500, strict=True)] | None = None
    maintenance_window_start_hour_utc: Hour | None = None
    maintenance_window_end_hour_utc: Hour | None = None


class InstancePolicy(View):
    """What holds for one instance, and where it comes from."""

    runtime: UpdateMode = "notify"
    runtime_override: UpdateMode | None = None
    runtime_source: Source = "platform_default"
    runtime_auto_supported: bool = True
    skills: UpdateMode = "notify"
    skills_override: UpdateMode | None = None
    skills_source: Source = "platform_default"
    skills_auto_supported: bool = False
    mcp_servers: UpdateMode = "notify"
    mcp_servers_override: UpdateMode | None = None
    mcp_servers_source: Source = "platform_default"
    mcp_servers_auto_supported: bool = False


class InstancePolicyChange(Body):
    """What to change: absent leaves as it is, null takes the override away."""

    runtime: UpdateMode | None = None
    skills: UpdateMode | None = None
    mcp_servers: UpdateMode | None = None


class ComponentUpdate(View):
    """One component: what runs and what there is."""

    component_type: str = Field(description="runtime, skill or mcp-server")
    slug: str
    current_version: str | None
    available_version: str | None
    has_update: bool = False
    update_reason: str = Field(description="newer_version, up_to_date, not_reported or disabled")
    changelog: str | None


class UpdatesAvailable(View):
    """What could be updated on one instance."""

    instance_id: str
    runtime: ComponentUpdate
    skills: list[ComponentUpdate]
    mcp_servers: list[ComponentUpdate]
    total_available: int
    update_policy: InstancePolicy
    versions_reported_at: TimeText | None
