"""``/internal/v1/platform/policy``: freeze and cap, for those who run the platform.

Who may come here is decided by the guard of ``/internal`` (:mod:`hydracore_api.auth.internal`).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response, Security

from hydracore_api.auth.internal import ops_token
from hydracore_api.errors import (
    Conflict,
    PreconditionFailed,
    PreconditionRequired,
    ServiceUnavailable,
    Unauthenticated,
    responses,
)
from hydracore_api.platform import service
from hydracore_api.platform.schemas import PlatformPolicyView, PlatformPolicyWish
from hydracore_api.responses import WITH_BODY
from hydracore_api.services import AnyServices

router = APIRouter(
    prefix="/internal/v1/platform",
    tags=["Platform"],
    responses=responses(Unauthenticated, ServiceUnavailable),
    dependencies=[Security(ops_token)],
)

IfMatch = Annotated[
    str | None,
    Header(description="The ETag of the answer that the change is based on, or * for any."),
]


@router.get("/policy", summary="Get the platform's policy")
async def get_platform_policy(services: AnyServices, response: Response) -> PlatformPolicyView:
    """Return freeze and cap, and what holds by them now; its ETag is what a change has to name."""
    found = await service.read(services)
    response.headers["ETag"] = service.etag(found)
    return service.view(found, services.now())


@router.put(
    "/policy",
    summary="Set the platform's policy",
    responses=responses(Conflict, PreconditionFailed, PreconditionRequired) | WITH_BODY,
)
async def set_platform_policy(
    services: AnyServices,
    response: Response,
    body: PlatformPolicyWish,
    if_match: IfMatch = None,
) -> PlatformPolicyView:
    """Put a freeze and a cap, or none, in the place of those that were read."""
    stored = await service.replace(services, body, if_match)
    response.headers["ETag"] = service.etag(stored)
    return service.view(stored, services.now())
