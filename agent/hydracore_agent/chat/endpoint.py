"""``POST /api/chat``: an answer as server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hydracore_agent.auth import Caller
from hydracore_agent.chat.chain import Author, Chain
from hydracore_agent.chat.conversations import CONVERSATION_ID, Conversations, Message
from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.http import Refusal, read_object

log = logging.getLogger(__name__)

MAX_MESSAGE = 8000
MAX_STREAMS = 32
STREAM_SECONDS = 120.0


class _BoundedStream(StreamingResponse):
    """A stream that ends after a time, also when nobody reads it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(STREAM_SECONDS):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            log.warning("a chat stream was cut after %g s", STREAM_SECONDS)


class ChatEndpoint:
    """Streams answers; one stream per conversation at a time."""

    def __init__(self, chain: Chain, conversations: Conversations, now: Clock) -> None:
        self._chain = chain
        self._conversations = conversations
        self._now = now
        self._streaming: set[str] = set()

    async def chat(self, request: Request, _caller: Caller) -> Response:
        """Answer the request with a stream.

        Raises:
            Refusal: the body is wrong, or the conversation is being answered already.
        """
        conversation_id, message = _read(await read_object(request))
        if conversation_id in self._streaming:
            raise Refusal(409, "busy", "this conversation is being answered")
        if len(self._streaming) >= MAX_STREAMS:
            raise Refusal(503, "busy", f"{MAX_STREAMS} conversations are being answered")
        return _BoundedStream(
            self._events(conversation_id, message),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, conversation_id: str, message: str) -> AsyncIterator[bytes]:
        if conversation_id in self._streaming:
            yield _event("error", {"message": "this conversation is being answered"})
            return
        self._streaming.add(conversation_id)
        try:
            yield _event("conversation", {"conversation_id": conversation_id})
            author = Author()
            async for text in self._answer(conversation_id, message, author):
                yield _event("token", {"text": text})
            done = {
                "conversation_id": conversation_id,
                "model": author.name,
                "offline": author.offline,
            }
            yield _event("done", done)
        except Exception:
            log.exception("a chat answer failed")
            yield _event("error", {"message": "the agent could not answer; its log tells more"})
        finally:
            self._streaming.discard(conversation_id)

    async def _answer(
        self, conversation_id: str, message: str, author: Author
    ) -> AsyncIterator[str]:
        asked_at = to_wire(self._now())
        history = await asyncio.to_thread(self._conversations.history, conversation_id)
        answer = []
        async for text in self._chain.answer(history, message, author):
            answer.append(text)
            yield text
        exchange = [
            Message("user", message, asked_at),
            Message("assistant", "".join(answer), to_wire(self._now())),
        ]
        await asyncio.to_thread(self._conversations.append, conversation_id, exchange)


def _read(body: Any) -> tuple[str, str]:
    try:
        fields = Fields(body, "body")
        message = fields.text("message", longest=MAX_MESSAGE)
        conversation_id = fields.text("conversationId", str(uuid.uuid4()), longest=128)
    except FieldError as error:
        raise Refusal(400, "invalid_request", str(error)) from error
    if not CONVERSATION_ID.fullmatch(conversation_id):
        text = f"body.conversationId must match {CONVERSATION_ID.pattern}"
        raise Refusal(400, "invalid_request", text)
    return conversation_id, message


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
