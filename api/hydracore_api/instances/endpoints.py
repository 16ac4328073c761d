"""``/v1/instances``."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from hydracore_api.auth.dependencies import (
    AdminDelete,
    AdminWrite,
    CanDelete,
    CanRead,
    CanWrite,
)
from hydracore_api.errors import BadGateway, Conflict, GatewayTimeout, NotFound, responses
from hydracore_api.instances import chat as chats
from hydracore_api.instances import create as creation
from hydracore_api.instances import rotate_key as rotation
from hydracore_api.instances import service
from hydracore_api.instances.cleanup import cleanup
from hydracore_api.instances.deep_health import deep_health
from hydracore_api.instances.schemas import (
    ChatMessage,
    CleanedUp,
    CreateInstance,
    InstanceByKey,
    InstanceCreated,
    InstanceDeepHealth,
    InstanceDeleted,
    InstanceDetail,
    InstanceList,
    InstanceLogs,
    InstanceRuntime,
    KeyRotated,
)
from hydracore_api.responses import V1, WITH_BODY
from hydracore_api.services import AnyServices

router = APIRouter(prefix="/v1/instances", tags=["Instances"], responses=V1)
InstanceId = Annotated[UUID, Path(title="Instance Id")]


@router.get("", summary="List instances")
async def list_instances(services: AnyServices, principal: CanRead) -> InstanceList:
    """Return every instance of the tenant, newest first."""
    return service.list_(services, principal)


@router.post(
    "",
    summary="Create an instance",
    status_code=202,
    responses=responses(Conflict) | WITH_BODY,
)
async def create_instance(
    services: AnyServices, principal: CanWrite, body: CreateInstance
) -> InstanceCreated:
    """Order an instance; it is provisioned in the background.

    The same idempotency key with the same body gives the same answer, also at the same time.
    """
    return await creation.create(services, principal, body)


# ":path": a key may hold slashes, which arrive here decoded.
@router.get("/by-key/{idempotency_key:path}", summary="Poll by idempotency key")
async def get_instance_by_key(
    services: AnyServices, principal: CanRead, idempotency_key: str
) -> InstanceByKey:
    """Return what an idempotency key has led to; an unknown one is ``found: false``, never 404."""
    return await service.by_key(services, principal, idempotency_key)


@router.post("/cleanup", summary="Clean up broken instances")
async def cleanup_instances(services: AnyServices, principal: AdminDelete) -> CleanedUp:
    """Delete every instance of the tenant that is in state `error` or `failed`."""
    return await cleanup(services, principal)


@router.post(
    "/admin/{instance_id}/rotate-key",
    summary="Rotate an agent's key",
    responses=responses(NotFound, Conflict),
)
async def rotate_instance_key(
    services: AnyServices, principal: AdminWrite, instance_id: InstanceId
) -> KeyRotated:
    """End the agent's key at once; its server fetches a new one, which is issued only once."""
    return await rotation.rotate_key(services, principal, str(instance_id))


@router.get("/{instance_id}", summary="Get an instance", responses=responses(NotFound))
async def get_instance(
    services: AnyServices, principal: CanRead, instance_id: InstanceId
) -> InstanceDetail:
    """Return one instance."""
    return await service.get(services, principal, str(instance_id))


@router.delete(
    "/{instance_id}", summary="Delete an instance", responses=responses(NotFound, Conflict)
)
async def delete_instance(
    services: AnyServices, principal: CanDelete, instance_id: InstanceId
) -> InstanceDeleted:
    """Delete an instance with its server, in the background.

    Asking again answers ``already_deleted: true``, also while the deletion is under way.
    """
    return await service.delete(services, principal, str(instance_id))


@router.get("/{instance_id}/logs", summary="Get the provision log", responses=responses(NotFound))
async def get_instance_logs(
    services: AnyServices, principal: CanRead, instance_id: InstanceId
) -> InstanceLogs:
    """Return the provision log, oldest line first."""
    return await service.logs(services, principal, str(instance_id))


@router.get("/{instance_id}/runtime", summary="Get runtime status", responses=responses(NotFound))
async def get_instance_runtime(
    services: AnyServices, principal: CanRead, instance_id: InstanceId
) -> InstanceRuntime:
    """Ask the agent how it is. Without an answer, what is known is returned all the same."""
    return await service.runtime(services, principal, str(instance_id))


@router.get(
    "/{instance_id}/health/deep",
    summary="Get deep health",
    tags=["Instance ops"],
    responses=responses(NotFound, Conflict, BadGateway, GatewayTimeout),
)
async def get_deep_health(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    force: Annotated[bool, Query(description="Have the agent examine itself now.")] = False,  # noqa: FBT002
) -> InstanceDeepHealth:
    """Return the agent's last thorough examination of itself, or with `force` a new one."""
    return await deep_health(services, principal, str(instance_id), force=force)


@router.post(
    "/{instance_id}/chat",
    summary="Chat with the agent",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."},
        **responses(NotFound, Conflict, BadGateway, GatewayTimeout),
        **WITH_BODY,
    },
)
async def chat_with_instance(
    services: AnyServices, principal: CanWrite, instance_id: InstanceId, body: ChatMessage
) -> Response:
    """Send one message; the answer comes as server-sent events.

    ``conversation`` names the conversation, ``token`` carries text, ``done`` or ``error`` ends.
    One stream for each conversation at a time.
    """
    return await chats.chat(services, principal, str(instance_id), body)
