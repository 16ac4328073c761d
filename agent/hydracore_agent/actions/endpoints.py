"""The HTTP side of actions."""

from __future__ import annotations

from starlette.requests import Request

from hydracore_agent.actions.request import read_action_id, read_request
from hydracore_agent.actions.runner import ActionRunner
from hydracore_agent.auth import Caller
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.http import Answer, Refusal, not_remembered, read_object
from hydracore_agent.orders.token import MAX_EPOCH


class ActionEndpoints:
    """Receives, shows and settles actions."""

    def __init__(self, runner: ActionRunner) -> None:
        self._runner = runner

    async def receive(self, request: Request, _caller: Caller) -> Answer:
        """Answer ``POST /api/actions/{name}``: 202 begun, 200 seen before."""
        return await self._take(request, str(request.path_params["name"]))

    async def apply_updates(self, request: Request, _caller: Caller) -> Answer:
        """Answer ``POST /api/updates/apply``, the action ``apply-updates``."""
        return await self._take(request, "apply-updates")

    async def show(self, request: Request, _caller: Caller) -> Answer:
        """Answer ``GET /api/actions/{name}``, where the name is an action's id."""
        record = self._runner.show(_id_of(request))
        if record is None:
            raise _unknown()
        return Answer(record.report())

    async def settle(self, request: Request, _caller: Caller) -> Answer:
        """Answer ``POST /api/actions/{name}/settle``: what became of it; it never runs after."""
        action_id = _id_of(request)
        body = await read_object(request)
        try:
            epoch = Fields(body, "body").integer("epoch", 0, MAX_EPOCH)
        except FieldError as error:
            raise Refusal(400, "invalid_request", str(error)) from error
        try:
            record = await self._runner.settle(action_id, epoch)
        except OSError as error:
            raise not_remembered("the action", error) from error
        return Answer(record.report())

    async def _take(self, request: Request, action: str) -> Answer:
        body = await read_object(request)
        try:
            wanted = read_request(action, body)
        except FieldError as error:
            raise Refusal(400, "invalid_request", str(error)) from error
        try:
            status, record = await self._runner.submit(wanted)
        except OSError as error:
            raise not_remembered("the action", error) from error
        return Answer(record.report(), status)


def _id_of(request: Request) -> str:
    try:
        return read_action_id(str(request.path_params["name"]))
    except FieldError:
        raise _unknown() from None


def _unknown() -> Refusal:
    return Refusal(404, "unknown_action", "this agent has never seen the action")
