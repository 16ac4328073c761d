"""``GET /api/conversations``: what was said, for those whom the control plane lets read it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from hydracore_agent.auth import Caller
from hydracore_agent.chat.conversations import CONVERSATION_ID, Conversations, Message
from hydracore_agent.http import Answer, Refusal

MAX_LISTED = 100
MAX_BYTES = 768 * 1024
"""Of one conversation's messages as JSON; callers take a mebibyte."""


class ReadingEndpoints:
    """Lists conversations and shows one."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def list(self, request: Request, _caller: Caller) -> Answer:
        """Return the conversations that were written last, the newest first.

        Raises:
            Refusal: ``limit`` is no number from 1 to 100.
        """
        limit = request.query_params.get("limit", str(MAX_LISTED))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LISTED):
            raise Refusal(400, "invalid_request", f"limit must be from 1 to {MAX_LISTED}")
        found = await asyncio.to_thread(self._conversations.latest, int(limit))
        shown = [
            {
                "id": one.id,
                "messages": one.messages,
                "firstAt": one.first_at,
                "lastAt": one.last_at,
            }
            for one in found
        ]
        return Answer({"conversations": shown})

    async def show(self, request: Request, _caller: Caller) -> Answer:
        """Return one conversation, oldest message first; the oldest are left out if it is long.

        Raises:
            Refusal: There is no such conversation.
        """
        id_ = request.path_params["conversation_id"]
        found: list[Message] = []
        if CONVERSATION_ID.fullmatch(id_):
            found = await asyncio.to_thread(self._conversations.history, id_)
        if not found:
            raise Refusal(404, "unknown_conversation", "there is no such conversation")
        shown = _that_fit(found)
        return Answer({"id": id_, "messages": shown, "truncated": len(shown) < len(found)})


def _that_fit(messages: Sequence[Message]) -> list[dict[str, Any]]:
    left, shown = MAX_BYTES, []
    for message in reversed(messages):
        wire = asdict(message)
        left -= len(json.dumps(wire)) + 1
        if left < 0:
            break
        shown.append(wire)
    return shown[::-1]
