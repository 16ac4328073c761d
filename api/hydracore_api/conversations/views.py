"""Conversations as REST shows them."""

from __future__ import annotations

from hydracore_agentclient import Conversation, ConversationList
from hydracore_api.conversations.schemas import (
    Consent,
    ConversationListView,
    ConversationSummaryView,
    ConversationView,
    MessageView,
)


def consent(id_: str, *, given: bool) -> Consent:
    """Return what holds now."""
    message = "Conversations may be read" if given else "Conversations may not be read"
    return Consent(instance_id=id_, consent_debug_access=given, message=message)


def conversations(id_: str, found: ConversationList) -> ConversationListView:
    """Return the list."""
    shown = [
        ConversationSummaryView(
            conversation_id=one.id,
            messages=one.messages,
            first_message_at=one.first_at,
            last_message_at=one.last_at,
        )
        for one in found.conversations
    ]
    return ConversationListView(instance_id=id_, conversations=shown)


def conversation(id_: str, found: Conversation) -> ConversationView:
    """Return one conversation."""
    return ConversationView(
        instance_id=id_,
        conversation_id=found.id,
        truncated=found.truncated,
        messages=[
            MessageView(role=one.role, content=one.text, created_at=one.at)
            for one in found.messages
        ],
    )
