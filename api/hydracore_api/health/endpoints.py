"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import math
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from hydracore_api.services import AnyServices
from hydracore_api.watch import STALE_SECONDS
from hydracore_api.wire import View
from hydracore_history import HistoryError

router = APIRouter(tags=["Health"])


class Alive(View):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(View):
    """Whether the API can serve, and what stands in the way."""

    status: Literal["ok", "unavailable"]
    watches: dict[str, float | None] = Field(
        description="Seconds since each kind's watch showed life; null before it did."
    )
    database: Literal["ok", "unavailable"]


@router.get("/healthz", summary="Liveness")
async def healthz() -> Alive:
    """Answer as long as the process does."""
    return Alive()


@router.get(
    "/readyz",
    summary="Readiness",
    responses={503: {"model": Readiness, "description": "Cannot serve now."}},
)
async def readyz(services: AnyServices, response: Response) -> Readiness:
    """Say whether all watches are alive and the database answers."""
    ages = services.cache.ages()
    try:
        await services.history.check()
        database: Literal["ok", "unavailable"] = "ok"
    except HistoryError:
        database = "unavailable"
    fresh = services.cache.ready and all(age <= STALE_SECONDS for age in ages.values())
    ready = fresh and database == "ok"
    response.status_code = 200 if ready else 503
    return Readiness(
        status="ok" if ready else "unavailable",
        watches={k: round(age, 1) if math.isfinite(age) else None for k, age in ages.items()},
        database=database,
    )
