"""``/v1/instances/{instance_id}/runtime/audit``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from hydracore_api.audit import service
from hydracore_api.audit.schemas import AuditEventView, AuditSummary
from hydracore_api.auth.dependencies import CanRead
from hydracore_api.errors import NotFound, responses
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.responses import V1
from hydracore_api.services import AnyServices
from hydracore_api.wire import Offset

router = APIRouter(prefix="/v1/instances", tags=["Instance ops"], responses=V1)


@router.get(
    "/{instance_id}/runtime/audit", summary="List audit events", responses=responses(NotFound)
)
async def list_audit_events(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Offset = 0,
) -> list[AuditEventView]:
    """Return what the agent did and refused, newest first."""
    return await service.list_(services, principal, str(instance_id), limit, offset)


@router.get(
    "/{instance_id}/runtime/audit/summary",
    summary="Count audit events",
    responses=responses(NotFound),
)
async def get_audit_summary(
    services: AnyServices, principal: CanRead, instance_id: InstanceId
) -> AuditSummary:
    """Return how many events there are, by their outcome and by the part of the agent."""
    return await service.summary(services, principal, str(instance_id))
