"""Wire forms of update policies and available updates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hydracore_api.wire import Body, TimeText, UtcTime, View
from hydracore_crds.policy_window import (
    MAX_JITTER_SECONDS,
    MAX_WINDOWS,
    UTC_NAME,
    WindowKind,
    WindowName,
)
from hydracore_crds.update_policy import UpdateMode

Source = Literal["instance_override", "tenant_default", "platform_default"]
Hour = Annotated[int, Field(ge=0, le=23, strict=True)]


class WindowView(View):
    """A window that opens by a schedule."""

    name: str | None = None
    kind: WindowKind
    schedule: str
    duration: str
    time_zone: str


class WindowChange(Body):
    """A window that opens by a schedule, as it shall be."""

    name: WindowName | None = Field(default=None, description="What people call it.")
    kind: WindowKind = Field(description="Whether updates may start while it is open.")
    schedule: str = Field(
        max_length=100, description="Cron: minute hour day month weekday, when it opens."
    )
    duration: str = Field(max_length=12, description="Hours and minutes: 4h30m, 45m, up to 168h.")
    time_zone: str = Field(default=UTC_NAME, max_length=63, description="IANA name.")


class FleetPolicy(View):
    """The tenant's defaults. No hours and no allow window: updates may start at any time."""

    runtime_default: UpdateMode = "notify"
    skills_default: UpdateMode = "notify"
    mcp_servers_default: UpdateMode = "notify"
    max_parallel_rollouts: int = Field(default=2, description="Targets in flight in the tenant.")
    maintenance_window_start_hour_utc: int | None = None
    maintenance_window_end_hour_utc: int | None = Field(default=None, description="Exclusive.")
    windows: list[WindowView] = Field(
        default=[], description="An allow window must be open if there is any; deny always wins."
    )
    opening_jitter_seconds: int = Field(
        default=0, description="The tenant begins up to so much later than its windows open."
    )
    window_open: bool = Field(default=True, description="Whether updates may start now.")
    next_opens_at: UtcTime | None = Field(
        default=None, description="When they may next, if not now and if that is known."
    )
    window_message: str = Field(default="", description="Which window is open, or blocks.")
    platform_frozen: bool = Field(
        default=False,
        description="Whether those who run the platform have stopped all updates; windows do not "
        "count then.",
    )
    platform_frozen_until: UtcTime | None = Field(
        default=None, description="When that ends by itself; null if it does not."
    )
    platform_message: str | None = Field(default=None, description="Why it is frozen.")


class FleetPolicyChange(Body):
    """What to change: absent leaves as it is, null goes back to the platform's default."""

    runtime_default: UpdateMode | None = None
    skills_default: UpdateMode | None = None
    mcp_servers_default: UpdateMode | None = None
    max_parallel_rollouts: Annotated[int, Field(ge=1, le=500, strict=True)] | None = None
    maintenance_window_start_hour_utc: Hour | None = None
    maintenance_window_end_hour_utc: Hour | None = None
    windows: Annotated[list[WindowChange], Field(max_length=MAX_WINDOWS)] | None = Field(
        default=None, description="Takes the place of the whole list."
    )
    opening_jitter_seconds: (
        Annotated[int, Field(ge=0, le=MAX_JITTER_SECONDS, strict=True)] | None
    ) = None


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
    update_reason: str = Field(
        description="newer_version, up_to_date, not_reported, disabled or quarantined"
    )
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
