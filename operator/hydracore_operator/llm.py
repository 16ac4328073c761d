"""The language models that new agents are told of: a JSON file, read once at start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, HttpUrl, SecretStr, StringConstraints, TypeAdapter, ValidationError

from hydracore_crds.base import Wire

MOST = 8
Text = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class LlmFileError(Exception):
    """The file cannot be used; the message names it and what is amiss, never a key."""


class LlmProvider(Wire):
    """One OpenAI-compatible endpoint."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    base_url: HttpUrl
    model: Text
    api_key: SecretStr | None = None


_LIST: TypeAdapter[list[LlmProvider]] = TypeAdapter(
    Annotated[list[LlmProvider], Field(max_length=MOST)]
)


def load_llm(path: Path | None) -> tuple[Mapping[str, Any], ...]:
    """Return the providers as user data has them, in the order in which agents ask them.

    Args:
        path: A JSON list of ``{name, baseUrl, model, apiKey}``; None means that there are none.

    Raises:
        LlmFileError: It cannot be read, or is not that.
    """
    if path is None:
        return ()
    try:
        found = _LIST.validate_python(json.loads(path.read_bytes()))
    except OSError as fault:
        raise LlmFileError(f"{path}: {fault.strerror or fault}") from fault
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LlmFileError(f"{path}: {where}: {first['msg']}") from None
    except ValueError as fault:
        raise LlmFileError(f"{path} is no JSON") from fault
    if len({one.name for one in found}) < len(found):
        raise LlmFileError(f"{path}: two providers have the same name")
    return tuple(_wire(one) for one in found)


def _wire(provider: LlmProvider) -> Mapping[str, Any]:
    key = provider.api_key.get_secret_value() if provider.api_key is not None else ""
    return {
        "name": provider.name,
        "baseUrl": str(provider.base_url),
        "model": provider.model,
        "apiKey": key,
    }
