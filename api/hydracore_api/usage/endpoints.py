"""``/v1/instances/{instance_id}/usage``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from hydracore_api.auth.dependencies import CanRead
from hydracore_api.errors import NotFound, responses
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.responses import V1
from hydracore_api.services import AnyServices
from hydracore_api.usage import service
from hydracore_api.usage.schemas import InstanceUsage

router = APIRouter(prefix="/v1/instances", tags=["Instances"], responses=V1)


@router.get("/{instance_id}/usage", summary="Get usage", responses=responses(NotFound))
async def get_instance_usage(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    days: Annotated[int, Query(ge=1, le=365, description="Days of UTC, today's included.")] = 30,
) -> InstanceUsage:
    """Return what the agent's calls of language models took, by day and in all."""
    return await service.usage(services, principal, str(instance_id), days)
