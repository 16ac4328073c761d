"""Rules of conversations: nobody reads them without consent; the agent keeps them, not we."""

from __future__ import annotations

import structlog

from hydracore_agentclient import AgentEndpoint, Refused
from hydracore_api.auth.principal import Principal
from hydracore_api.conversations import views
from hydracore_api.conversations.schemas import (
    Consent,
    ConversationListView,
    ConversationView,
)
from hydracore_api.errors import Conflict, Forbidden, NotFound
from hydracore_api.instances.lookup import NOT_FOUND, find, running_endpoint
from hydracore_api.services import Services
from hydracore_crds import Instance
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import NotFound as KubeNotFound

UNKNOWN = "unknown_conversation"

log = structlog.get_logger(__name__)


async def set_consent(
    services: Services, principal: Principal, id_: str, *, wanted: bool
) -> Consent:
    """Let conversations be read, or not any more.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is being deleted.
    """
    instance = await find(services, principal, id_)
    if instance.deleting:
        raise Conflict("The instance is being deleted: nothing can be changed any more")
    if bool(instance.spec.consent_debug_access) != wanted:
        body = {
            "metadata": {"uid": instance.metadata.uid},
            "spec": {"consentDebugAccess": wanted},
        }
        try:
            instance = await services.kube.patch(
                Instance, instance.metadata.name, instance.metadata.namespace, body
            )
        except (KubeNotFound, KubeConflict):
            raise NotFound(NOT_FOUND) from None
        services.cache.instances.upsert(instance)
        log.info("consent_set", instance_id=id_, consent=wanted, by=principal.id)
    return views.consent(id_, given=wanted)


async def list_(
    services: Services, principal: Principal, id_: str, limit: int
) -> ConversationListView:
    """Return the agent's newest conversations.

    Raises:
        NotFound: There is no such instance.
        Forbidden: There is no consent.
        Conflict: It is not running.
        AgentError: The agent cannot be asked.
    """
    where = await _opened(services, principal, id_)
    return views.conversations(id_, await services.agents.conversations(where, limit))


async def get(
    services: Services, principal: Principal, id_: str, conversation_id: str
) -> ConversationView:
    """Return one conversation.

    Raises:
        NotFound: There is no such instance, or it has no such conversation.
        Forbidden: There is no consent.
        Conflict: It is not running.
        AgentError: The agent cannot be asked.
    """
    where = await _opened(services, principal, id_)
    try:
        found = await services.agents.conversation(where, conversation_id)
    except Refused as error:
        if error.code != UNKNOWN:
            raise
        raise NotFound("Conversation not found") from None
    return views.conversation(id_, found)


async def _opened(services: Services, principal: Principal, id_: str) -> AgentEndpoint:
    instance = await find(services, principal, id_)
    if not instance.spec.consent_debug_access:
        raise Forbidden(
            "There is no consent to read this agent's conversations: an admin can give it with "
            f"PATCH /v1/instances/{id_}/consent"
        )
    return running_endpoint(instance)
