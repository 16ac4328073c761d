"""The application: routers, middleware and error handlers, wired in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from hydracore_api import errors
from hydracore_api.actions.endpoints import router as actions_router
from hydracore_api.agent.endpoints import router as agent_router
from hydracore_api.audit.endpoints import router as audit_router
from hydracore_api.auth.dependencies import show_scopes
from hydracore_api.auth.internal import InternalGuard
from hydracore_api.conversations.endpoints import router as conversations_router
from hydracore_api.health.endpoints import router as health_router
from hydracore_api.instances.endpoints import router as instances_router
from hydracore_api.instances.ready import ReadyAnswers
from hydracore_api.keys.endpoints import router as keys_router
from hydracore_api.limits import ReceiveLimits
from hydracore_api.memory.endpoints import router as memory_router
from hydracore_api.platform.endpoints import router as platform_router
from hydracore_api.rollouts.endpoints import router as rollouts_router
from hydracore_api.services import Services
from hydracore_api.settings import Settings
from hydracore_api.smoke.endpoints import router as smoke_router
from hydracore_api.updates.endpoints import router as updates_router
from hydracore_api.usage.endpoints import router as usage_router

DESCRIPTION = """
HydraCore provisions servers for AI agents, keeps them healthy and rolls runtimes out to whole
fleets. `kubectl apply`, GitOps and this API are equal doors to one truth.

Send an API key in `X-Api-Key`. Errors are `{"detail": …}`, times are ISO-8601 in UTC with `Z`, ids
are UUIDs (a malformed one is 422).
"""

# Literal paths (/fleet/…) come before /{instance_id}/….
ROUTERS = (
    rollouts_router,
    updates_router,
    actions_router,
    instances_router,
    keys_router,
    conversations_router,
    memory_router,
    usage_router,
    audit_router,
    agent_router,
    platform_router,
    smoke_router,
    health_router,
)


class Api(FastAPI):
    """The application, with the answers that stand ready in front of all its layers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._ready = ReadyAnswers(super().__call__, lambda: getattr(self.state, "services", None))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._ready(scope, receive, send)


def create_app(settings: Settings, *, services: Services | None = None) -> FastAPI:
    """Build the application.

    Args:
        settings: The settings.
        services: Services that are open already; they are opened at the start otherwise.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = services or await Services.open(settings)
        async with app.state.services.running():
            yield

    app = Api(
        title="HydraCore API",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        # A redirect would be built from the Host header, and its scheme is not the proxy's.
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    for router in ROUTERS:
        show_scopes(router)
        app.include_router(router)
    app.add_middleware(
        ReceiveLimits, seconds=settings.receive_seconds, max_bytes=settings.max_body_bytes
    )
    app.add_middleware(InternalGuard, token=settings.ops_token)
    errors.install(app)
    return app


def operation_id(route: APIRoute) -> str:
    """Return a route's operation id: its function's name, so that it is stable."""
    return route.name


def _version() -> str:
    try:
        return version("hydracore")
    except PackageNotFoundError:
        return "0"
