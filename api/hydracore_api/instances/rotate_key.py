"""Rotating an agent's key: the old one ends at once, and its server may fetch another, once."""

from __future__ import annotations

import structlog

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict
from hydracore_api.instances.lookup import find
from hydracore_api.instances.schemas import KeyRotated
from hydracore_api.services import Services

log = structlog.get_logger(__name__)


async def rotate_key(services: Services, principal: Principal, id_: str) -> KeyRotated:
    """End the agent's key and arm its server's bootstrap token again.

    The agent's next heartbeat is refused; it then enrols anew with the token that its server has
    had from the start. Asking again before that changes nothing.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is being deleted, or its server was not ordered yet, so that it has no token.
    """
    instance = await find(services, principal, id_)
    if instance.deleting:
        raise Conflict("The instance is being deleted: its key ends with it")
    if not await services.history.credentials.rearm(id_):
        raise Conflict("The instance has no server yet, so there is no key to rotate: try later")
    log.info("agent_key_rotated", instance_id=id_, by=principal.key.id)
    return KeyRotated(instance_id=id_, status="rotated")
