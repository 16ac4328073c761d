"""Serves bundles by digest, in pieces, so that memory stays flat whatever their size.

Where the settings say so, it sends the agent to the object store instead, with a signed URL. That
URL is a secret: it is in the answer's ``Location`` and nowhere else.
"""

from __future__ import annotations

import structlog
from fastapi import Request, Response

from hydracore_api.agent.ranges import parse_range
from hydracore_api.errors import NotFound, ServiceUnavailable
from hydracore_api.services import Services
from hydracore_api.streams import BoundedStream
from hydracore_artifacts.errors import ArtifactMissing, StoreUnavailable

log = structlog.get_logger(__name__)


async def serve(services: Services, request: Request, sha256: str) -> Response:
    """Answer with an artifact's bytes, or with those of one range, or say where they are.

    Raises:
        NotFound: There is no such artifact.
        RangeNotSatisfiable: The range lies outside.
        ServiceUnavailable: The object store does not answer.
    """
    try:
        size = await services.artifacts.size(sha256)
    except ArtifactMissing:
        raise NotFound("There is no bundle with this digest") from None
    except StoreUnavailable as error:
        raise _away(error) from None
    etag = f'"{sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, immutable, max-age=31536000",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    if services.settings.artifacts_signed_urls:
        return await _elsewhere(services, sha256)
    wanted = None
    if request.headers.get("if-range") in (None, etag):
        wanted = parse_range(request.headers.get("range"), size)
    start, end = wanted if wanted is not None else (0, size)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    return BoundedStream(
        services.artifacts.open_range(sha256, start, end),
        status_code=206 if wanted is not None else 200,
        headers=headers,
        media_type="application/octet-stream",
    )


async def _elsewhere(services: Services, sha256: str) -> Response:
    """Send the agent to the object store; the range asked for is for that to honour."""
    seconds = services.settings.artifacts_signed_url_seconds
    try:
        url = await services.artifacts.signed_url(sha256, seconds)
    except StoreUnavailable as error:
        raise _away(error) from None
    headers = {"Location": url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(status_code=307, headers=headers)


def _away(error: StoreUnavailable) -> ServiceUnavailable:
    log.warning("store_unavailable", fault=str(error))
    return ServiceUnavailable("The object store cannot be used now: try again")
