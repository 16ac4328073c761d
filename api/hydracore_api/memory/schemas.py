"""Wire forms of what agents remember."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from hydracore_api.instances.schemas import ConversationId
from hydracore_api.wire import Body, UtcTime, View, storable_text

MemoryKind = Literal["fact", "procedure"]
CustomerId = Annotated[
    str, StringConstraints(min_length=1, max_length=253), AfterValidator(storable_text)
]


class AddMemory(Body):
    """Something to remember."""

    content: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    kind: MemoryKind = "fact"
    customer_id: CustomerId | None = Field(default=None, description="Whom it is about.")
    conversation_id: ConversationId | None = Field(default=None, description="Where it was said.")


class ForgetMemory(Body):
    """What to forget; all conditions hold together, and none of them means everything."""

    memory_id: UUID | None = None
    kind: MemoryKind | None = None
    customer_id: CustomerId | None = None
    conversation_id: ConversationId | None = None


class MemoryView(View):
    """One thing that is remembered."""

    memory_id: str
    kind: MemoryKind
    content: str
    customer_id: str | None
    conversation_id: str | None
    created_at: UtcTime


class MemoryHealth(View):
    """How the agent's store is."""

    status: Literal["healthy"] = "healthy"
    stored: int = Field(description="Items in all, whatever was asked for.")


class MemoryList(View):
    """What is remembered, the newest first."""

    instance_id: str
    count: int = Field(description="Items in this answer.")
    memories: list[MemoryView]
    status: MemoryHealth


class MemoryAdded(View):
    """It is remembered."""

    instance_id: str
    status: str
    memory: MemoryView


class MemoryForgotten(View):
    """It is forgotten."""

    instance_id: str
    status: str
    deleted: int
