"""Actions as REST shows them."""

from __future__ import annotations

from hydracore_api.actions.schemas import (
    ActionDetail,
    ActionEntry,
    ActionResult,
    DeepHealth,
    SubsystemHealth,
    UpdatesApplied,
)
from hydracore_crds import InstanceAction
from hydracore_crds.base import format_time
from hydracore_crds.instance_action import ActionState, Diagnostics


def state(action: InstanceAction) -> ActionState:
    """Return the state; a new action has none yet."""
    return action.status.state or "pending"


def message(action: InstanceAction) -> str:
    """Return what there is to say."""
    return action.status.message or "it waits for the operator"


def result(action: InstanceAction, instance_id: str) -> ActionResult:
    """Return the answer of a POST."""
    return ActionResult(
        action=action.spec.action,
        action_id=action.metadata.uid,
        instance_id=instance_id,
        status=state(action),
        message=message(action),
        duration_ms=action.status.duration_ms,
        detail=_detail(action),
    )


def entry(action: InstanceAction) -> ActionEntry:
    """Return a line of the timeline."""
    return ActionEntry(
        action_id=action.metadata.uid,
        action=action.spec.action,
        status=state(action),
        requested_by=action.spec.requested_by,
        created_at=action.metadata.creation_timestamp,
        started_at=action.status.started_at,
        completed_at=action.status.completed_at,
        duration_ms=action.status.duration_ms,
        message=message(action),
        detail=_detail(action),
    )


def updates(action: InstanceAction, instance_id: str) -> UpdatesApplied:
    """Return the answer of updates/apply."""
    return UpdatesApplied(instance_id=instance_id, status=state(action), message=message(action))


def deep_health(report: Diagnostics, instance_id: str) -> DeepHealth:
    """Return the report that run-diagnostics has made just now."""
    return DeepHealth(
        instance_id=instance_id,
        cached=False,
        status=report.status,
        checked_at=format_time(report.checked_at),
        uptime_seconds=report.uptime_seconds,
        subsystems=_subsystems(report),
    )


def _subsystems(report: Diagnostics) -> dict[str, SubsystemHealth]:
    return {
        name: SubsystemHealth(
            status=one.status,
            message=one.message,
            latency_ms=None if one.latency_us is None else one.latency_us / 1000,
        )
        for name, one in report.subsystems.items()
    }


def _detail(action: InstanceAction) -> ActionDetail:
    report = action.status.diagnostics
    detail: ActionDetail = {**(action.status.detail or {})}
    if report is not None:
        detail["status"] = report.status
        detail["checked_at"] = format_time(report.checked_at)
        detail["uptime_seconds"] = report.uptime_seconds
        detail["subsystems"] = _subsystems(report)
    return detail
