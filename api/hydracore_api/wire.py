"""What all wire forms share: strict bodies, times with ``Z``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    model_validator,
)
from pydantic.json_schema import WithJsonSchema

from hydracore_crds.base import format_time

UtcTime = Annotated[
    datetime,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant: ISO-8601 in UTC with ``Z``."""


def _text_of(value: object) -> object:
    return format_time(value) if isinstance(value, datetime) else value


TimeText = Annotated[str, BeforeValidator(_text_of)]
"""The same, where the contract has a plain string."""

_INT64_MAX = 2**63 - 1


def _storable_integer(value: int) -> int:
    if value > _INT64_MAX:
        raise ValueError(f"must be at most {_INT64_MAX}")
    return value


Offset = Annotated[int, Query(ge=0), AfterValidator(_storable_integer)]
"""How many entries of a list are left out; databases count in 64 bits."""

MAX_DEPTH = 32


class Body(BaseModel):
    """A request body: unknown fields are refused, and so is text that no database can store."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        if _unstorable(value, MAX_DEPTH):
            raise ValueError("text must not hold NUL or half a surrogate pair")
        return value


class View(BaseModel):
    """A response."""

    model_config = ConfigDict(frozen=True)


def storable(text: str) -> bool:
    """Whether a text can be stored everywhere: no NUL, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def storable_text(text: str) -> str:
    """Return a text that can be stored everywhere, for validators of query parameters.

    Raises:
        ValueError: It cannot.
    """
    if not storable(text):
        raise ValueError("text must not hold NUL or half a surrogate pair")
    return text


def _unstorable(value: Any, depth: int) -> bool:
    if isinstance(value, str):
        return not storable(value)
    if depth == 0:
        return True
    if isinstance(value, dict):
        return any(
            _unstorable(key, depth - 1) or _unstorable(one, depth - 1) for key, one in value.items()
        )
    if isinstance(value, list):
        return any(_unstorable(one, depth - 1) for one in value)
    return False
