"""``/v1/instances/fleet/updates/policy`` and ``/v1/instances/{instance_id}/updates/…``."""

from __future__ import annotations

from fastapi import APIRouter

from hydracore_api.auth.dependencies import AdminWrite, CanRead
from hydracore_api.errors import Conflict, NotFound, responses
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.responses import V1, WITH_BODY
from hydracore_api.services import AnyServices
from hydracore_api.updates import policies
from hydracore_api.updates.available import updates
from hydracore_api.updates.schemas import (
    FleetPolicy,
    FleetPolicyChange,
    InstancePolicy,
    InstancePolicyChange,
    UpdatesAvailable,
)

router = APIRouter(prefix="/v1/instances", tags=["Instance ops"], responses=V1)


@router.get("/fleet/updates/policy", summary="Get the tenant's update policy")
async def get_fleet_update_policy(services: AnyServices, principal: CanRead) -> FleetPolicy:
    """Return the tenant's defaults; where it has set none, the platform's."""
    return policies.get_fleet(services, principal)


@router.patch(
    "/fleet/updates/policy",
    summary="Set the tenant's update policy",
    responses=responses(Conflict) | WITH_BODY,
)
async def set_fleet_update_policy(
    services: AnyServices, principal: AdminWrite, body: FleetPolicyChange
) -> FleetPolicy:
    """Change the tenant's defaults: absent leaves as it is, null goes back to the platform's."""
    return await policies.change_fleet(services, principal, body)


@router.patch(
    "/{instance_id}/updates/policy",
    summary="Set an instance's update policy",
    responses=responses(NotFound) | WITH_BODY,
)
async def set_instance_update_policy(
    services: AnyServices,
    principal: AdminWrite,
    instance_id: InstanceId,
    body: InstancePolicyChange,
) -> InstancePolicy:
    """Change what one instance wants otherwise than its tenant; null takes it back."""
    return await policies.change_instance(services, principal, str(instance_id), body)


@router.get(
    "/{instance_id}/updates/available",
    summary="Get available updates",
    responses=responses(NotFound),
)
async def get_available_updates(
    services: AnyServices, principal: CanRead, instance_id: InstanceId
) -> UpdatesAvailable:
    """Compare what the instance runs with the newest bundles."""
    return await updates(services, principal, str(instance_id))
