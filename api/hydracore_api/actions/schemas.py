"""Wire forms of actions."""

from __future__ import annotations

from pydantic import Field

from hydracore_api.wire import Body, TimeText, UtcTime, View
from hydracore_crds.instance_action import ActionState


class SubsystemHealth(View):
    """How one part of an agent is."""

    status: str
    message: str
    latency_ms: float | None


ActionDetail = dict[str, str | int | dict[str, SubsystemHealth]]
"""Facts about a run: texts or, of run-diagnostics, the report."""


class ActionResult(View):
    """What became of an action so far."""

    action: str
    action_id: str = Field(description="uid of the InstanceAction.")
    instance_id: str
    status: ActionState
    message: str
    duration_ms: int | None
    detail: ActionDetail


class ActionEntry(View):
    """One action of an instance's timeline."""

    action_id: str
    action: str
    status: ActionState
    requested_by: str | None
    created_at: UtcTime | None
    started_at: UtcTime | None
    completed_at: UtcTime | None
    duration_ms: int | None
    message: str
    detail: ActionDetail


class ActionList(View):
    """An instance's actions, newest first."""

    actions: list[ActionEntry]
    total: int = Field(description="How many there are; 100 stands for 100 or more.")


class DeepHealth(View):
    """A deep health report."""

    instance_id: str
    cached: bool = False
    status: str
    checked_at: TimeText
    uptime_seconds: int
    subsystems: dict[str, SubsystemHealth]


class ApplyUpdates(Body):
    """How to apply updates."""

    force: bool = Field(default=False, description="Apply again what is current.")
    restart_agent: bool = Field(default=False, description="Restart the agent afterwards.")


class UpdatesApplied(View):
    """What became of it so far."""

    instance_id: str
    status: ActionState
    message: str
