"""Wire forms of the events that agents post in batches (snake_case JSON)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from hydracore_api.wire import Body, View
from hydracore_crds.base import ShortText, Uuid
from hydracore_history.usage import NANO_PLACES

MAX_EVENTS = 500
MAX_METADATA_BYTES = 8192
EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$", max_length=64)]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,62}$", max_length=63)]
ConversationId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Tokens = Annotated[int, Field(ge=0, le=10**9)]
Money = Annotated[
    Decimal,
    Field(ge=0, le=1_000_000, decimal_places=NANO_PLACES, description="Dollars, as text."),
]


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError as error:
        raise ValueError(f"must be plain JSON: {error}") from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"must have at most {MAX_METADATA_BYTES} bytes as JSON, has {size}")
    return value


class UsageReport(Body):
    """One call of a language model."""

    event_id: EventId = Field(description="The same one again is the same event.")
    occurred_at: AwareDatetime
    provider: ShortText
    model: ShortText
    input_tokens: Tokens
    output_tokens: Tokens
    cost_usd: Money = Decimal(0)
    end_user_id: ShortText | None = None


class UsageBatch(Body):
    """What an agent's calls of language models took."""

    instance_id: Uuid
    events: list[UsageReport] = Field(min_length=1, max_length=MAX_EVENTS)


class AuditReport(Body):
    """Something that an agent did or refused."""

    event_id: EventId = Field(description="The same one again is the same event.")
    event_ts: AwareDatetime
    event_type: Label
    source: Label
    outcome: Literal["success", "denied", "error"]
    role: ShortText | None = None
    conversation_id: ConversationId | None = None
    request_id: ShortText | None = None
    server_slug: ShortText | None = None
    tool_name: ShortText | None = None
    metadata_json: Annotated[dict[str, Any], AfterValidator(_bounded)] = Field(
        default_factory=dict, description=f"At most {MAX_METADATA_BYTES} bytes as JSON."
    )


class AuditBatch(Body):
    """What an agent did and refused."""

    instance_id: Uuid
    events: list[AuditReport] = Field(min_length=1, max_length=MAX_EVENTS)


class EventsTaken(View):
    """All events of the batch are stored now."""

    accepted: int = Field(description="Events that were new.")
    duplicates: int = Field(description="Events that were known already, or twice in the batch.")
