"""The HTTP surface: which path leads to which handler."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hydracore_agent.actions.endpoints import ActionEndpoints
from hydracore_agent.auth import Caller
from hydracore_agent.chat.endpoint import ChatEndpoint
from hydracore_agent.chat.reading import ReadingEndpoints
from hydracore_agent.health.monitor import HealthMonitor
from hydracore_agent.http import Answer, Frame, json_response
from hydracore_agent.memory.endpoints import MemoryEndpoints
from hydracore_agent.orders.endpoints import OrderEndpoints
from hydracore_agent.orders.longpoll import LongPolls, read_wait
from hydracore_agent.status import StatusReporter, tag

CODES = {404: "not_found", 405: "method_not_allowed"}


@dataclass(frozen=True, slots=True)
class Surface:
    """What the handlers need."""

    frame: Frame
    health: HealthMonitor
    status: StatusReporter
    long_polls: LongPolls
    orders: OrderEndpoints
    actions: ActionEndpoints
    chat: ChatEndpoint
    reading: ReadingEndpoints
    memory: MemoryEndpoints


def build_app(surface: Surface) -> Starlette:
    """Return the application."""

    async def alive(_request: Request) -> Response:
        healthy = surface.health.is_healthy()
        return json_response(200 if healthy else 503, {"ok": healthy})

    async def status(request: Request, _caller: Caller) -> Answer:
        wait = read_wait(request.query_params)
        if wait is not None:
            await surface.long_polls.hold(wait)
        found = surface.status.status()
        return Answer(found, tag=tag(found))

    async def deep(_request: Request, _caller: Caller) -> Answer:
        return Answer(await surface.health.deep())

    wrap = surface.frame.wrap
    orders, actions = surface.orders, surface.actions
    routes = [
        Route("/healthz", alive, methods=["GET"]),
        Route("/api/status", wrap(status, polled=True), methods=["GET"]),
        Route("/api/health/deep", wrap(deep), methods=["GET"]),
        Route("/api/orders", wrap(orders.receive), methods=["POST"]),
        Route("/api/orders/{task_id}", wrap(orders.show), methods=["GET"]),
        Route("/api/orders/{task_id}/abort", wrap(orders.abort), methods=["POST"]),
        Route("/api/actions/{name}", wrap(actions.receive), methods=["POST"]),
        Route("/api/actions/{name}", wrap(actions.show), methods=["GET"]),
        Route("/api/actions/{name}/settle", wrap(actions.settle), methods=["POST"]),
        Route("/api/updates/apply", wrap(actions.apply_updates), methods=["POST"]),
        Route("/api/chat", wrap(surface.chat.chat), methods=["POST"]),
        Route("/api/memory", wrap(surface.memory.list), methods=["GET"]),
        Route("/api/memory", wrap(surface.memory.add), methods=["POST"]),
        Route("/api/memory", wrap(surface.memory.remove), methods=["DELETE"]),
        Route("/api/conversations", wrap(surface.reading.list), methods=["GET"]),
        Route("/api/conversations/{conversation_id}", wrap(surface.reading.show), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _plain_error})


async def _plain_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = CODES.get(status, "error")
    return json_response(status, {"code": code, "message": f"HTTP {status}: no such call"})
