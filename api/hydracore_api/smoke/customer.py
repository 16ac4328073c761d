"""As whom smoke tests act: tenant and customer come from the settings, never from the caller."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from hydracore_api.auth.client_ip import client_ip
from hydracore_api.auth.principal import Principal
from hydracore_api.auth.tenancy import fresh_namespace
from hydracore_api.errors import ServiceUnavailable
from hydracore_api.services import ReadyServices
from hydracore_history import ApiKey

SCOPES = ("instances:*",)


async def smoke_principal(
    request: Request,
    services: ReadyServices,
    authorization: Annotated[str | None, Header(description="Bearer and the ops token.")] = None,
) -> Principal:
    """Return the smoke customer's stand-in. The guard of ``/internal`` has checked the token.

    Raises:
        ServiceUnavailable: The settings name no tenant and customer, or the tenant is not there.
    """
    del authorization
    settings = services.settings
    namespace = settings.smoke_namespace
    if not namespace or not settings.smoke_customer_id:
        raise ServiceUnavailable(
            "Smoke tests are not set up: set HYDRACORE_SMOKE_NAMESPACE and "
            "HYDRACORE_SMOKE_CUSTOMER_ID"
        )
    found = services.cache.namespaces.get(namespace) or await fresh_namespace(services, namespace)
    if found is None or found.tenant_id is None:
        raise ServiceUnavailable(
            "The namespace that HYDRACORE_SMOKE_NAMESPACE names is no tenant's: make it, with the "
            "label hydracore.io/tenant-id"
        )
    record = ApiKey(
        id="smoke",
        tenant_id=found.tenant_id,
        namespace=namespace,
        name="smoke",
        prefix="",
        key_hash="",
        scopes=SCOPES,
        admin=False,
        tenant_wide=False,
        created_by="settings",
        created_at=services.now(),
        last_used_at=None,
        revoked_at=None,
    )
    return Principal(record, client_ip(request, settings.trusted_proxies))


AsSmoke = Annotated[Principal, Depends(smoke_principal)]
