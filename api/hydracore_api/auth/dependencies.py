"""What a route demands of its caller; each demand carries its scope tag, so tests can list them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from hydracore_api.auth.client_ip import client_ip
from hydracore_api.auth.principal import Principal
from hydracore_api.auth.tenancy import check_tenant
from hydracore_api.errors import Forbidden, Unauthenticated
from hydracore_api.services import ReadyServices

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Bearer",
    description="A user's token. Not accepted yet: use an API key.",
)
_api_key = APIKeyHeader(
    name="X-Api-Key", auto_error=False, scheme_name="ApiKey", description="hc_live_…"
)


async def authenticate(
    request: Request,
    services: ReadyServices,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    _shown: Annotated[str | None, Security(_api_key)],
    x_api_key: Annotated[str | None, Header(alias="X-Api-Key")] = None,
) -> Principal:
    """Return who calls.

    Raises:
        Unauthenticated: No API key, or a wrong one, or a bearer token (also beside a good key:
            if both are sent, both must be valid).
        Forbidden: The key's tenant is gone.
    """
    if bearer is not None or "authorization" in request.headers:
        raise Unauthenticated("Bearer tokens are not accepted: send an API key in X-Api-Key")
    if x_api_key is None:
        raise Unauthenticated("Credentials are missing: send an API key in X-Api-Key")
    record = await services.authenticator.find(x_api_key)
    if record is None:
        raise Unauthenticated("The API key is not valid")
    principal = Principal(record, client_ip(request, services.settings.trusted_proxies))
    await check_tenant(services, principal)
    return principal


class Requires:
    """A dependency: the caller must have a scope and, for some routes, be an admin.

    Without a scope any valid key passes.
    """

    def __init__(self, scope: str | None, *, admin: bool = False) -> None:
        self.scope = scope
        self.admin = admin

    async def __call__(self, principal: Annotated[Principal, Depends(authenticate)]) -> Principal:
        """Return the caller.

        Raises:
            Forbidden: The scope or the role is missing.
        """
        if self.scope is not None and not principal.may(self.scope):
            raise Forbidden(f"The API key lacks the scope {self.scope}")
        if self.admin and not principal.admin:
            raise Forbidden("Only admins may do this: use an API key that was created as admin")
        return principal


def demands_of(dependant: Dependant) -> Iterator[Requires]:
    """Yield what a route demands of its caller."""
    if isinstance(dependant.call, Requires):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from demands_of(inner)


def show_scopes(router: APIRouter) -> None:
    """Say in the document which scope each route demands: ``x-required-scope``."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            scopes = {one.scope for one in demands_of(route.dependant)} - {None}
            for scope in scopes:
                shown = {"x-required-scope": scope}
                route.openapi_extra = {**(route.openapi_extra or {}), **shown}


AnyKey = Annotated[Principal, Depends(Requires(None))]
CanRead = Annotated[Principal, Depends(Requires("instances:read"))]
CanWrite = Annotated[Principal, Depends(Requires("instances:write"))]
CanDelete = Annotated[Principal, Depends(Requires("instances:delete"))]
AdminDelete = Annotated[Principal, Depends(Requires("instances:delete", admin=True))]
AdminWrite = Annotated[Principal, Depends(Requires("instances:write", admin=True))]
