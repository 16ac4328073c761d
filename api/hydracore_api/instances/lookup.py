"""Finding one instance of a tenant. Whatever is not the tenant's own does not exist."""

from __future__ import annotations

from hydracore_agentclient import AgentEndpoint
from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, NotFound
from hydracore_api.services import Services
from hydracore_api.watch import instance_id
from hydracore_crds import Instance
from hydracore_kube import NotFound as KubeNotFound

NOT_FOUND = "Instance not found"


async def find(services: Services, principal: Principal, id_: str) -> Instance:
    """Return the tenant's instance with this id.

    One that the watch has not shown yet (another replica made it just now) is found through its
    claim in SQL and read freshly.

    Raises:
        NotFound: There is none.
    """
    found = services.cache.instance_by_id.one(principal.namespace, id_)
    if found is not None:
        return found
    claim = await services.history.idempotency.by_instance(id_)
    if claim is None or claim.tenant_id != principal.tenant_id:
        raise NotFound(NOT_FOUND)
    fresh = await read(services, principal.namespace, claim.name)
    if fresh is None or instance_id(fresh) != id_:
        raise NotFound(NOT_FOUND)
    return fresh


async def read(services: Services, namespace: str, name: str) -> Instance | None:
    """Read an Instance freshly; None if there is none."""
    try:
        found = await services.kube.get(Instance, name, namespace)
    except KubeNotFound:
        return None
    services.cache.instances.upsert(found)
    return found


def endpoint(instance: Instance) -> AgentEndpoint | None:
    """Return where the instance's agent is; None while that is not known."""
    if instance.status.agent_url is None:
        return None
    return AgentEndpoint(
        instance.status.agent_url, instance_id(instance), instance.status.agent_public_key
    )


def running_endpoint(instance: Instance) -> AgentEndpoint:
    """Return where a running instance's agent is.

    Raises:
        Conflict: The instance is not running.
    """
    found = endpoint(instance)
    if instance.deleting or instance.status.state != "running" or found is None:
        raise Conflict("The instance is not running: see its status and provision log")
    return found
