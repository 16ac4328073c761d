"""``/v1/instances/fleet/runtime…`` and the rollouts of one instance."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from hydracore_api.auth.dependencies import AdminWrite, CanRead, CanWrite
from hydracore_api.errors import Conflict, NotFound, Unprocessable, responses
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.responses import V1
from hydracore_api.rollouts import control, events, planning, service, start
from hydracore_api.rollouts.retry import retry
from hydracore_api.rollouts.schemas import (
    Approval,
    FleetRolloutStarted,
    PlanRequest,
    Redeployed,
    RolloutDetail,
    RolloutEvents,
    RolloutSummary,
    RolloutTargetView,
    RolloutTimeline,
)
from hydracore_api.services import AnyServices
from hydracore_api.wire import Offset
from hydracore_core.rollouts.preview_model import RolloutPreview

router = APIRouter(prefix="/v1/instances", tags=["Instance ops"], responses=V1)

RolloutId = Annotated[UUID, Path(title="Rollout Id")]
Limit = Annotated[int, Query(ge=1, le=100)]
_FLEET = "/fleet/runtime/rollouts"
_CONTROL = responses(NotFound, Conflict)


@router.post(
    "/fleet/runtime/rollout",
    summary="Fleet runtime rollout",
    status_code=202,
    responses=responses(Conflict),
)
async def start_fleet_rollout(
    services: AnyServices,
    principal: AdminWrite,
    override_window: Annotated[  # noqa: FBT002  # a query parameter
        bool,
        Query(
            description="Emergency override: bypass maintenance window. "
            "Requires tenant-wide admin flag."
        ),
    ] = False,
) -> FleetRolloutStarted:
    """Push the newest runtime to all running instances. Tenant admin only."""
    return await start.fleet(services, principal, override_window=override_window)


@router.post(
    _FLEET + "/plan",
    summary="Plan a rollout",
    responses=responses(Conflict, Unprocessable),
)
async def plan_rollout(
    services: AnyServices, principal: CanWrite, body: PlanRequest
) -> list[RolloutPreview]:
    """Return what a rollout would do, with nothing created: the very plan that would then run.

    Without ``spec`` it is the fleet rollout: a plan for each runtime type of the tenant.
    """
    return await planning.plans(services, principal, body.spec)


@router.get(_FLEET, summary="List rollouts")
async def list_rollouts(
    services: AnyServices, principal: CanRead, limit: Limit = 20, offset: Offset = 0
) -> list[RolloutSummary]:
    """Return the tenant's rollouts, newest first, also archived ones and those of one instance."""
    return await service.list_(services, principal, limit, offset)


@router.get(_FLEET + "/{rollout_id}", summary="Get a rollout", responses=responses(NotFound))
async def get_rollout(
    services: AnyServices, principal: CanRead, rollout_id: RolloutId
) -> RolloutDetail:
    """Return a rollout with its targets."""
    return await service.get(services, principal, str(rollout_id))


@router.get(
    "/fleet/runtime-rollouts/{rollout_id}/timeline",
    summary="Get a rollout's timeline",
    responses=responses(NotFound),
)
async def get_rollout_timeline(
    services: AnyServices, principal: CanRead, rollout_id: RolloutId
) -> RolloutTimeline:
    """Return when each target ran, and for how long."""
    return await service.timeline(services, principal, str(rollout_id))


@router.get(
    "/fleet/runtime-rollouts/{rollout_id}/events",
    summary="List what happened to a rollout",
    responses=responses(NotFound),
)
async def list_rollout_events(
    services: AnyServices,
    principal: CanRead,
    rollout_id: RolloutId,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Offset = 0,
) -> RolloutEvents:
    """Return each step of a rollout and its targets with its time and who took it, oldest first.

    It answers alike while the rollout is in the cluster and after it has left it.
    """
    return await events.list_(services, principal, str(rollout_id), limit, offset)


@router.post(_FLEET + "/{rollout_id}/cancel", summary="Cancel a rollout", responses=_CONTROL)
async def cancel_rollout(
    services: AnyServices,
    principal: AdminWrite,
    rollout_id: RolloutId,
    force: Annotated[  # noqa: FBT002  # a query parameter
        bool, Query(description="Hard-stop: also terminate in-progress tasks via SIGTERM")
    ] = False,
) -> RolloutSummary:
    """Drop what is queued. With ``force`` agents are told to abort what runs, too."""
    return await control.cancel(services, principal, str(rollout_id), force=force)


@router.post(_FLEET + "/{rollout_id}/pause", summary="Pause a rollout", responses=_CONTROL)
async def pause_rollout(
    services: AnyServices, principal: AdminWrite, rollout_id: RolloutId
) -> RolloutSummary:
    """Start nothing more; what runs finishes. Waiting targets show as cancelled meanwhile."""
    return await control.pause(services, principal, str(rollout_id))


@router.post(_FLEET + "/{rollout_id}/resume", summary="Resume a rollout", responses=_CONTROL)
async def resume_rollout(
    services: AnyServices, principal: AdminWrite, rollout_id: RolloutId
) -> RolloutSummary:
    """Go on with a paused or halted rollout; failures so far are accepted."""
    return await control.resume(services, principal, str(rollout_id))


@router.post(_FLEET + "/{rollout_id}/approve", summary="Approve a wave", responses=_CONTROL)
async def approve_rollout(
    services: AnyServices, principal: AdminWrite, rollout_id: RolloutId, body: Approval
) -> RolloutSummary:
    """Go on to the next wave. Bound to the plan: another wave or plan is not approved by it."""
    return await control.approve(services, principal, str(rollout_id), body.approval)


@router.post(_FLEET + "/{rollout_id}/rollback", summary="Take back", responses=_CONTROL)
async def rollback_rollout(
    services: AnyServices, principal: AdminWrite, rollout_id: RolloutId
) -> RolloutSummary:
    """Take back what the rollout has updated, newest first; there is no way back from it."""
    return await control.rollback(services, principal, str(rollout_id))


@router.post(
    _FLEET + "/{rollout_id}/targets/{target_id}/retry",
    summary="Retry a rollout target",
    responses=_CONTROL,
)
async def retry_rollout_target(
    services: AnyServices,
    principal: AdminWrite,
    rollout_id: RolloutId,
    target_id: Annotated[UUID, Path(title="Target Id")],
) -> RolloutSummary:
    """Try a failed or uncertain target once more, with the very same bundle."""
    return await retry(services, principal, str(rollout_id), str(target_id))


@router.get(
    "/{instance_id}/runtime/rollouts",
    summary="List an instance's rollouts",
    responses=responses(NotFound),
)
async def list_instance_rollouts(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    limit: Limit = 20,
    offset: Offset = 0,
) -> list[RolloutTargetView]:
    """Return what rollouts did to one instance, newest first."""
    return await service.of_instance(services, principal, str(instance_id), limit, offset)


@router.post(
    "/{instance_id}/runtime/redeploy",
    summary="Redeploy the runtime",
    status_code=202,
    responses=_CONTROL,
)
async def redeploy_runtime(
    services: AnyServices, principal: AdminWrite, instance_id: InstanceId
) -> Redeployed:
    """Push the newest runtime to one instance, also where it runs it already. Admin only."""
    return await start.redeploy(services, principal, str(instance_id))
