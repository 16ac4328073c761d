"""``/agent/v1``: stages, enrolment, heartbeats and bundles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from hydracore_api.agent import bundles, events, service
from hydracore_api.agent.event_schemas import AuditBatch, EventsTaken, UsageBatch
from hydracore_api.agent.schemas import (
    Enrolment,
    Heartbeat,
    HeartbeatAnswer,
    Issued,
    StageAccepted,
    StageReport,
)
from hydracore_api.auth.agents import ByEither, ByKey, ByToken
from hydracore_api.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RangeNotSatisfiable,
    ServiceUnavailable,
    Unauthenticated,
    responses,
)
from hydracore_api.responses import WITH_BODY
from hydracore_api.services import AnyServices

router = APIRouter(
    prefix="/agent/v1",
    tags=["Agents"],
    responses=responses(Unauthenticated, Forbidden, ServiceUnavailable),
)


@router.post(
    "/bootstrap", summary="Report a provisioning stage", responses=responses(NotFound) | WITH_BODY
)
async def report_bootstrap_stage(
    services: AnyServices, credential: ByToken, body: StageReport
) -> StageAccepted:
    """Store how far a server has come. Needs the bootstrap token; stale numbers are ignored."""
    return await service.report_stage(services, credential, body)


@router.post(
    "/secrets", summary="Fetch the agent's key, once", responses=responses(Conflict) | WITH_BODY
)
async def issue_agent_key(
    services: AnyServices, credential: ByToken, body: Enrolment, response: Response
) -> Issued:
    """Issue the agent's key. Needs the bootstrap token; a second call is refused."""
    response.headers["Cache-Control"] = "no-store"
    return await service.enrol(services, credential, body)


@router.post("/heartbeat", summary="Report health and versions", responses=WITH_BODY)
async def report_heartbeat(
    services: AnyServices, credential: ByKey, body: Heartbeat
) -> HeartbeatAnswer:
    """Store health and versions. Needs the agent's key; the first call ends the bootstrap token."""
    return await service.heartbeat(services, credential, body)


@router.post("/usage", summary="Report usage events", responses=WITH_BODY)
async def report_usage(services: AnyServices, credential: ByKey, body: UsageBatch) -> EventsTaken:
    """Store what calls of language models took; sent again, an event is not counted again."""
    return await events.take_usage(services, credential, body)


@router.post("/audit", summary="Report audit events", responses=WITH_BODY)
async def report_audit(services: AnyServices, credential: ByKey, body: AuditBatch) -> EventsTaken:
    """Store what the agent did and refused; sent again, an event is not stored again."""
    return await events.take_audit(services, credential, body)


@router.get(
    "/bundles/{sha256}",
    summary="Download a bundle by its digest",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The whole artifact."},
        206: {"content": {"application/octet-stream": {}}, "description": "The range asked for."},
        304: {"description": "Known already (If-None-Match)."},
        307: {"description": "It is at the signed URL in `Location`, for a few minutes."},
        **responses(NotFound, RangeNotSatisfiable),
    },
)
async def download_bundle(
    services: AnyServices,
    request: Request,
    _credential: ByEither,
    sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hex.")],
) -> Response:
    """Stream an artifact, or say where it is.

    One ``Range`` of bytes is honoured, so that downloads can go on. Where the answer is a redirect,
    follow it without the credential of this call; when the URL has expired, ask here again.
    """
    return await bundles.serve(services, request, sha256)
