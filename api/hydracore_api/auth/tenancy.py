"""Which namespace is whose: the namespace's label decides, not the caller."""

from __future__ import annotations

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Forbidden
from hydracore_api.services import Services
from hydracore_history import ApiKey
from hydracore_kube import Namespace, NotFound


async def check_tenant(services: Services, principal: Principal) -> None:
    """See that the key's namespace still is its tenant's.

    A namespace that the watch has not shown yet is read freshly.

    Raises:
        Forbidden: The namespace is gone, or belongs to another tenant now.
    """
    if is_tenants(services, principal.key):
        return
    found = await fresh_namespace(services, principal.namespace)
    if found is None or found.tenant_id != principal.tenant_id:
        raise Forbidden("The tenant of this key does not exist any more")


def is_tenants(services: Services, key: ApiKey) -> bool:
    """Whether the key's namespace is its tenant's, as far as the watch has shown."""
    found = services.cache.namespaces.get(key.namespace)
    return found is not None and found.tenant_id == key.tenant_id


async def fresh_namespace(services: Services, name: str) -> Namespace | None:
    """Read a namespace freshly; None if there is none."""
    try:
        found = await services.kube.get(Namespace, name)
    except NotFound:
        return None
    services.cache.namespaces.upsert(found)
    return found
