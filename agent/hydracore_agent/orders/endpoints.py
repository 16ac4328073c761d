"""The HTTP side of orders."""

from __future__ import annotations

from starlette.requests import Request

from hydracore_agent.auth import Caller
from hydracore_agent.clock import Clock
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.http import Answer, Refusal, not_remembered, read_object
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.runner import OrderRunner
from hydracore_agent.orders.token import MAX_EPOCH, read_order, read_task_id
from hydracore_agent.tokens import TokenError
from hydracore_agent.trust import TrustStore


class OrderEndpoints:
    """Receives, shows and aborts orders."""

    def __init__(
        self,
        runner: OrderRunner,
        memory: OrderMemory,
        trust: TrustStore,
        instance_id: str,
        now: Clock,
    ) -> None:
        self._runner = runner
        self._memory = memory
        self._trust = trust
        self._instance_id = instance_id
        self._now = now

    async def receive(self, request: Request, _caller: Caller) -> Answer:
        """Answer ``POST /api/orders``."""
        body = await read_object(request)
        try:
            order = read_order(
                body.get("order"), self._instance_id, self._trust.control_plane, self._now()
            )
        except TokenError as error:
            raise Refusal(400, "invalid_order", str(error)) from error
        try:
            status, task = await self._runner.submit(order)
        except OSError as error:
            raise not_remembered("the order", error) from error
        return Answer(self._runner.report(task), status)

    async def show(self, request: Request, _caller: Caller) -> Answer:
        """Answer ``GET /api/orders/{task_id}``."""
        task = self._memory.read().tasks.get(_task_id(request))
        if task is None:
            raise _unknown()
        return Answer(self._runner.report(task))

    async def abort(self, request: Request, _caller: Caller) -> Answer:
        """Answer ``POST /api/orders/{task_id}/abort``."""
        task_id = _task_id(request)
        body = await read_object(request)
        try:
            epoch = Fields(body, "body").integer("epoch", 0, MAX_EPOCH)
        except FieldError as error:
            raise Refusal(400, "invalid_request", str(error)) from error
        try:
            task = await self._runner.abort(task_id, epoch)
        except OSError as error:
            raise not_remembered("the order", error) from error
        return Answer(self._runner.report(task))


def _task_id(request: Request) -> str:
    try:
        return read_task_id(str(request.path_params["task_id"]))
    except FieldError:
        raise _unknown() from None


def _unknown() -> Refusal:
    return Refusal(404, "unknown_task", "this agent has never seen the task")
