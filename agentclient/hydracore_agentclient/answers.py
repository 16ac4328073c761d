"""Answers of agents, read and held against whom was asked."""

from __future__ import annotations

from typing import TypeVar

import orjson
from pydantic import ValidationError

from hydracore_agentclient.endpoint import AgentEndpoint
from hydracore_agentclient.errors import InvalidAnswer, WrongIdentity
from hydracore_agentclient.models import AgentStatus
from hydracore_crds.base import Wire

M = TypeVar("M", bound=Wire)


def own_status(ep: AgentEndpoint, status: AgentStatus) -> AgentStatus:
    """Return the status if its body names the instance that was asked.

    Raises:
        WrongIdentity: It names another.
    """
    if status.instance_id != ep.instance_id:
        raise WrongIdentity(
            f"the answer is of instance {status.instance_id!r}, asked was {ep.instance_id!r}"
        )
    return status


def read_answer(model: type[M], data: bytes) -> M:
    """Read a body.

    Raises:
        InvalidAnswer: It is not what it should be.
    """
    try:
        return model.model_validate(orjson.loads(data))
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:100]
        raise InvalidAnswer(f"the answer does not fit: {field}: {first['msg'][:200]}") from fault
    except orjson.JSONDecodeError as fault:
        raise InvalidAnswer("the answer is no JSON") from fault
