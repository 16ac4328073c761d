"""The frame of every endpoint: bounded bodies, authentication, proofs, errors as data."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hydracore_agent.auth import Caller, ControlAuth
from hydracore_agent.clock import Clock
from hydracore_agent.errors import describe_os_error
from hydracore_agent.identity import PROOF_HEADER, Identity
from hydracore_agent.polls import PollAuth
from hydracore_agent.tokens import TokenError

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
BODY_SECONDS = 5.0
JSON = "application/json"


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """An answer that is not a success.

    Attributes:
        status: HTTP status.
        code: For programs.
        message: For people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def not_remembered(what: str, error: OSError) -> Refusal:
    """Return the refusal of something that may only begin once it is stored, and cannot be.

    Args:
        what: For people: ``the order``.
        error: Why it could not be stored.
    """
    message = f"{what} cannot be remembered, so nothing was done: {describe_os_error(error)}"
    return Refusal(503, "storage_unavailable", message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer.

    Attributes:
        tag: Polls that name it are answered with a 304: nothing has changed (RFC 9110, 13.1.2).
    """

    body: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""


Handler = Callable[[Request, Caller], Awaitable[Answer | Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


async def read_object(request: Request) -> Mapping[str, Any]:
    """Return the body, a JSON object.

    Raises:
        Refusal: 413 too long, 408 too slow, 400 anything but a JSON object in UTF-8.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MAX_BODY:
                    raise Refusal(413, "too_large", f"the body may have {MAX_BODY} bytes")
    except TimeoutError:
        raise Refusal(
            408, "timeout", f"the body did not arrive within {BODY_SECONDS:g} s"
        ) from None
    except ClientDisconnect:
        raise Refusal(400, "disconnected", "the caller went away") from None
    try:
        parsed = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "invalid_json", "the body is not JSON in UTF-8") from None
    if not isinstance(parsed, dict):
        raise Refusal(400, "invalid_json", "the body must be a JSON object")
    return parsed


class Frame:
    """Wraps handlers: only authenticated callers reach them, and JSON answers carry a proof."""

    def __init__(
        self,
        auth: ControlAuth,
        identity: Identity,
        instance_id: str,
        now: Clock,
        polls: PollAuth | None = None,
    ) -> None:
        self._auth = auth
        self._polls = polls
        self._identity = identity
        self._instance_id = instance_id
        self._now = now

    def wrap(self, handler: Handler, *, polled: bool = False) -> Endpoint:
        """Return the endpoint for Starlette; ``polled`` ones may be asked by marked polls too."""

        async def endpoint(request: Request) -> Response:
            try:
                header = request.headers.get("authorization")
                caller = self._auth.check(header, polled=polled)
            except TokenError as error:
                return json_response(401, {"code": "unauthorized", "message": str(error)})
            return await self._answer(handler, request, caller)

        return endpoint

    async def _answer(self, handler: Handler, request: Request, caller: Caller) -> Response:
        try:
            answer = await handler(request, caller)
        except Refusal as refusal:
            body = {"code": refusal.code, "message": refusal.message}
            answer = Answer(body, refusal.status)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            message = "an unexpected error; the agent's log on the server tells more"
            answer = Answer({"code": "internal", "message": message}, 500)
        if isinstance(answer, Response):
            return answer
        if caller.poll is not None and self._polls is not None:
            mark = partial(self._polls.mark, caller.poll, caller.nonce)
            return _polled(request.headers.get("if-none-match"), answer, mark)
        response = json_response(answer.status, answer.body, answer.headers)
        response.headers[PROOF_HEADER] = self._identity.prove(
            self._instance_id, caller.nonce, bytes(response.body), self._now()
        )
        return response


def _polled(known: str | None, answer: Answer, mark: Callable[[int, str, bytes], str]) -> Response:
    """Answer a poll; one that has the answer already is only told that it still holds.

    Args:
        known: The ETag that the poll names, if any.
        answer: What there is to say.
        mark: Makes the proof of status, tag and body.
    """
    etag = f'W/"{answer.tag}"' if answer.tag else ""
    if etag and known == etag:
        response = Response(status_code=304)
    else:
        response = json_response(answer.status, answer.body, answer.headers)
    if etag:
        response.headers["ETag"] = etag
    response.headers[PROOF_HEADER] = mark(response.status_code, answer.tag, bytes(response.body))
    return response


def json_response(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON response without a proof."""
    content = json.dumps(body, separators=(",", ":")).encode()
    return Response(content, status, {**(headers or {}), "Cache-Control": "no-store"}, JSON)
