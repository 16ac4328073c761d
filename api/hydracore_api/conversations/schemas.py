"""Wire forms of conversations and consent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictBool

from hydracore_api.wire import Body, UtcTime, View


class ConsentChange(Body):
    """Whether conversations may be read."""

    consent_debug_access: StrictBool


class Consent(View):
    """What holds now."""

    instance_id: str
    consent_debug_access: bool = Field(
        default=True, description="Whether conversations may be read."
    )
    message: str


class ConversationSummaryView(View):
    """One conversation."""

    conversation_id: str
    messages: int = Field(description="How many the agent has kept.")
    first_message_at: UtcTime
    last_message_at: UtcTime


class ConversationListView(View):
    """The agent's newest conversations, the newest first."""

    instance_id: str
    conversations: list[ConversationSummaryView]


class MessageView(View):
    """One message."""

    role: Literal["user", "assistant"]
    content: str
    created_at: UtcTime


class ConversationView(View):
    """One conversation, the oldest message first."""

    instance_id: str
    conversation_id: str
    truncated: bool = Field(description="The oldest messages did not fit into the answer.")
    messages: list[MessageView]
