"""``/internal/v1/smoke``: smoke tests of the whole way from an order to a chat.

Who may come here is decided by the guard of ``/internal`` (:mod:`hydracore_api.auth.internal`).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, Security

from hydracore_api.auth.internal import ops_token
from hydracore_api.errors import (
    BadGateway,
    Conflict,
    GatewayTimeout,
    NotFound,
    ServiceUnavailable,
    Unauthenticated,
    responses,
)
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.responses import WITH_BODY
from hydracore_api.services import AnyServices
from hydracore_api.smoke import service
from hydracore_api.smoke.customer import AsSmoke
from hydracore_api.smoke.schemas import (
    SmokeByKey,
    SmokeDeleted,
    SmokeInstance,
    SmokeLlmEvents,
    SmokeMessage,
    SmokeProvision,
    SmokeProvisioned,
)

router = APIRouter(
    prefix="/internal/v1/smoke",
    tags=["Smoke"],
    responses=responses(Unauthenticated, ServiceUnavailable),
    dependencies=[Security(ops_token)],
)


@router.post(
    "/provision",
    summary="Order an instance for a smoke test",
    status_code=202,
    responses=responses(Conflict) | WITH_BODY,
)
async def smoke_provision(
    services: AnyServices, principal: AsSmoke, body: SmokeProvision
) -> SmokeProvisioned:
    """Order an instance of the smoke customer, on the way that every customer's order takes."""
    return await service.provision(services, principal, body)


# ":path": a key may hold slashes, which arrive here decoded.
@router.get(
    "/instances/by-key/{idempotency_key:path}", summary="Poll a smoke instance by idempotency key"
)
async def smoke_get_by_key(
    services: AnyServices, principal: AsSmoke, idempotency_key: str
) -> SmokeByKey:
    """Return what an idempotency key has led to; an unknown one is ``found: false``, never 404."""
    return await service.by_key(services, principal, idempotency_key)


@router.get(
    "/instances/{instance_id}", summary="Get a smoke instance", responses=responses(NotFound)
)
async def smoke_get_instance(
    services: AnyServices, principal: AsSmoke, instance_id: InstanceId
) -> SmokeInstance:
    """Return how one instance of the smoke customer is."""
    return await service.get(services, principal, str(instance_id))


@router.delete(
    "/instances/{instance_id}",
    summary="Delete a smoke instance",
    responses=responses(NotFound, Conflict),
)
async def smoke_delete_instance(
    services: AnyServices, principal: AsSmoke, instance_id: InstanceId
) -> SmokeDeleted:
    """Delete an instance of the smoke customer with its server, in the background."""
    return await service.delete(services, principal, str(instance_id))


@router.post(
    "/instances/{instance_id}/chat",
    summary="Chat with a smoke instance",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."},
        **responses(NotFound, Conflict, BadGateway, GatewayTimeout),
        **WITH_BODY,
    },
)
async def smoke_chat(
    services: AnyServices, principal: AsSmoke, instance_id: InstanceId, body: SmokeMessage
) -> Response:
    """Send one message in a conversation of its own; the answer comes as server-sent events."""
    return await service.chat(services, principal, str(instance_id), body)


@router.get(
    "/instances/{instance_id}/llm-events",
    summary="Count a smoke instance's model calls",
    responses=responses(NotFound),
)
async def smoke_llm_events(
    services: AnyServices,
    principal: AsSmoke,
    instance_id: InstanceId,
    window_seconds: Annotated[int, Query(ge=1, le=86400)] = 900,
) -> SmokeLlmEvents:
    """Return which calls of language models the agent has reported within the window."""
    return await service.llm_events(services, principal, str(instance_id), window_seconds)
