"""``/v1/instances/{instance_id}/conversations`` and ``…/consent``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from hydracore_api.auth.dependencies import AdminWrite, CanRead
from hydracore_api.conversations import service
from hydracore_api.conversations.schemas import (
    Consent,
    ConsentChange,
    ConversationListView,
    ConversationView,
)
from hydracore_api.errors import BadGateway, Conflict, GatewayTimeout, NotFound, responses
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.instances.schemas import CONVERSATION_ID
from hydracore_api.responses import V1, WITH_BODY
from hydracore_api.services import AnyServices

router = APIRouter(prefix="/v1/instances", tags=["Instances"], responses=V1)
_BY_AGENT = responses(NotFound, Conflict, BadGateway, GatewayTimeout)


@router.patch(
    "/{instance_id}/consent",
    summary="Set consent to debug access",
    responses=responses(NotFound, Conflict) | WITH_BODY,
)
async def set_instance_consent(
    services: AnyServices, principal: AdminWrite, instance_id: InstanceId, body: ConsentChange
) -> Consent:
    """Let the agent's conversations be read through this API, or not any more."""
    wanted = body.consent_debug_access
    return await service.set_consent(services, principal, str(instance_id), wanted=wanted)


@router.get("/{instance_id}/conversations", summary="List conversations", responses=_BY_AGENT)
async def list_conversations(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ConversationListView:
    """Return the agent's newest conversations. Needs consent to debug access."""
    return await service.list_(services, principal, str(instance_id), limit)


@router.get(
    "/{instance_id}/conversations/{conversation_id}",
    summary="Get a conversation",
    responses=_BY_AGENT,
)
async def get_conversation(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    conversation_id: Annotated[str, Path(pattern=CONVERSATION_ID, max_length=128)],
) -> ConversationView:
    """Return one conversation's messages, oldest first. Needs consent to debug access."""
    return await service.get(services, principal, str(instance_id), conversation_id)
