"""The HTTP surface: which path leads to which handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hydracore_agent.auth import Caller
from hydracore_agent.chat.endpoint import ChatEndpoint
from hydracore_agent.health.monitor import HealthMonitor
from hydracore_agent.http import Answer, Frame, Refusal, json_response
from hydracore_agent.orders.endpoints import OrderEndpoints
from hydracore_agent.status import StatusReporter

CODES = {404: "not_found", 405: "method_not_allowed"}


@dataclass(frozen=True, slots=True)
class Surface:
    """What the handlers need.

    Attributes:
        leave: Ends this process with exit status 0.
    """

    frame: Frame
    health: HealthMonitor
    status: StatusReporter
    orders: OrderEndpoints
    chat: ChatEndpoint
    leave: Callable[[], None]


def build_app(surface: Surface) -> Starlette:
    """Return the application."""

    async def alive(_request: Request) -> Response:
        healthy = surface.health.is_healthy()
        return json_response(200 if healthy else 503, {"ok": healthy})

    async def status(_request: Request, _caller: Caller) -> Answer:
        return Answer(surface.status.status())

    async def deep(_request: Request, _caller: Caller) -> Answer:
        return Answer(await surface.health.deep())

    async def power_cycle(_request: Request, _caller: Caller) -> Answer:
        if surface.status.on_trial():
            raise Refusal(409, "busy", "this release is on trial; leaving now would end the trial")
        surface.leave()
        return Answer({"accepted": True}, 202)

    wrap = surface.frame.wrap
    orders = surface.orders
    routes = [
        Route("/healthz", alive, methods=["GET"]),
        Route("/api/status", wrap(status, polled=True), methods=["GET"]),
        Route("/api/health/deep", wrap(deep), methods=["GET"]),
        Route("/api/orders", wrap(orders.receive), methods=["POST"]),
        Route("/api/orders/{task_id}", wrap(orders.show), methods=["GET"]),
        Route("/api/orders/{task_id}/abort", wrap(orders.abort), methods=["POST"]),
        Route("/api/actions/power-cycle", wrap(power_cycle), methods=["POST"]),
        Route("/api/chat", wrap(surface.chat.chat), methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _plain_error})


async def _plain_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = CODES.get(status, "error")
    return json_response(status, {"code": code, "message": f"HTTP {status}: no such call"})
