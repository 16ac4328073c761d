"""``/v1/instances/{instance_id}/memory``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from hydracore_agentclient import MemoryFilter
from hydracore_api.auth.dependencies import CanDelete, CanRead, CanWrite
from hydracore_api.errors import BadGateway, Conflict, GatewayTimeout, NotFound, responses
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.instances.schemas import ConversationId
from hydracore_api.memory import service
from hydracore_api.memory.schemas import (
    AddMemory,
    CustomerId,
    ForgetMemory,
    MemoryAdded,
    MemoryForgotten,
    MemoryList,
)
from hydracore_api.responses import V1, WITH_BODY
from hydracore_api.services import AnyServices

router = APIRouter(
    prefix="/v1/instances",
    tags=["Instance ops"],
    responses=V1 | responses(NotFound, Conflict, BadGateway, GatewayTimeout),
)


@router.get("/{instance_id}/memory", summary="List memory")
async def list_memory(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    customer_id: Annotated[CustomerId | None, Query()] = None,
    conversation_id: Annotated[ConversationId | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> MemoryList:
    """Return what the agent remembers, of one customer or conversation if so asked."""
    which = MemoryFilter(customer_id=customer_id, conversation_id=conversation_id)
    return await service.list_(services, principal, str(instance_id), which, limit)


@router.post("/{instance_id}/memory", summary="Add to memory", responses=WITH_BODY)
async def add_memory(
    services: AnyServices, principal: CanWrite, instance_id: InstanceId, body: AddMemory
) -> MemoryAdded:
    """Have the agent remember a fact or a procedure; the same again is the same item."""
    return await service.add(services, principal, str(instance_id), body)


@router.delete("/{instance_id}/memory", summary="Clear memory", responses=WITH_BODY)
async def clear_memory(
    services: AnyServices, principal: CanDelete, instance_id: InstanceId, body: ForgetMemory
) -> MemoryForgotten:
    """Have the agent forget what fits the conditions; `{}` has none and clears everything."""
    return await service.forget(services, principal, str(instance_id), body)
