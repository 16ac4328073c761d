"""Chat: hands the agent's server-sent events through, one stream for each conversation."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack

import structlog
from fastapi import Response

from hydracore_agentclient import AgentEndpoint, AgentError, Refused
from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, from_agent
from hydracore_api.instances.lookup import find, running_endpoint
from hydracore_api.instances.schemas import ChatMessage
from hydracore_api.services import Services
from hydracore_api.streams import BoundedStream

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_HTTP_CONFLICT = 409

log = structlog.get_logger(__name__)


async def chat(services: Services, principal: Principal, id_: str, body: ChatMessage) -> Response:
    """Send one message and stream the answer.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is not running, or this conversation is being answered already.
        AgentError: The agent cannot be asked (502, 504).
    """
    where = running_endpoint(await find(services, principal, id_))
    conversation = body.conversation_id or str(uuid.uuid4())
    place = (id_, conversation)
    if place in services.streams:
        raise Conflict("This conversation is being answered: wait for the end of that stream")
    services.streams.add(place)
    return await stream(services, where, body.message, conversation, place=place)


async def stream(
    services: Services,
    where: AgentEndpoint,
    message: str,
    conversation: str,
    *,
    place: tuple[str, str] | None,
) -> Response:
    """Stream one answer.

    Args:
        services: The services.
        where: The agent.
        message: What is said to it.
        conversation: Where it is said.
        place: What is held in ``services.streams`` until the stream ends; None: nothing is.

    Raises:
        Conflict: The agent answers this conversation already.
        AgentError: It cannot be asked.
    """
    events = _events(services, where, message, conversation)
    try:
        # Up to the first event: what fails so far is an error of its own, not part of a stream.
        first = await anext(events)
    except Refused as error:
        await _end(services, place, events)
        if error.status == _HTTP_CONFLICT:
            raise Conflict("The agent is busy with this conversation: try again later") from None
        raise
    except StopAsyncIteration:
        first = b""
    except BaseException:
        await _end(services, place, events)
        raise
    return BoundedStream(
        _Held(services, place, first, events), headers=HEADERS, media_type="text/event-stream"
    )


async def _events(
    services: Services, where: AgentEndpoint, message: str, conversation: str
) -> AsyncGenerator[bytes, None]:
    async with AsyncExitStack() as stack:
        events = await stack.enter_async_context(services.agents.chat(where, message, conversation))
        yield b""
        async for piece in events:
            yield piece


class _Held:
    """The stream's events; the conversation is held until it is closed, also unread."""

    def __init__(
        self,
        services: Services,
        place: tuple[str, str] | None,
        first: bytes,
        events: AsyncGenerator[bytes, None],
    ) -> None:
        self._services = services
        self._place = place
        self._events = events
        self._pieces = _told(first, events)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def aclose(self) -> None:
        """Stop the agent and let the next stream of the conversation begin."""
        await self._pieces.aclose()
        await _end(self._services, self._place, self._events)


async def _told(first: bytes, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        if first:
            yield first
        async for piece in events:
            yield piece
    except AgentError as error:
        shown = from_agent(error).detail
        yield f"event: error\ndata: {json.dumps({'message': shown})}\n\n".encode()


async def _end(
    services: Services, place: tuple[str, str] | None, events: AsyncGenerator[bytes, None]
) -> None:
    if place is not None:
        services.streams.discard(place)
    await events.aclose()
