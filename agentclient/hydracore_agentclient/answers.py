"""Answers of agents, read and held against whom was asked."""

from __future__ import annotations

from typing import TypeVar

import orjson
from pydantic import ValidationError

from hydracore_agentclient.endpoint import AgentEndpoint
from hydracore_agentclient.errors import InvalidAnswer, Refused, UnknownTask, WrongIdentity
from hydracore_agentclient.models import (
    ActionReport,
    AgentStatus,
    Conversation,
    Refusal,
    TaskReport,
)
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


def same_task(report: TaskReport, task_id: str) -> TaskReport:
    """Return the report if it is of the task that was asked about.

    Raises:
        InvalidAnswer: It is of another.
    """
    if report.task_id != task_id:
        raise InvalidAnswer(f"the answer is of task {report.task_id}, asked was {task_id}")
    return report


def same_action(report: ActionReport, action_id: str) -> ActionReport:
    """Return the report if it is of the action that was asked about.

    Raises:
        InvalidAnswer: It is of another.
    """
    if report.action_id != action_id:
        raise InvalidAnswer(f"the answer is of action {report.action_id}, asked was {action_id}")
    return report


def same_conversation(found: Conversation, conversation_id: str) -> Conversation:
    """Return the conversation if it is the one that was asked for.

    Raises:
        InvalidAnswer: It is another.
    """
    if found.id != conversation_id:
        raise InvalidAnswer("the answer is another conversation than was asked for")
    return found


def refusal(status: int, data: bytes) -> Refused:
    """Return the error that a body says, of an answer that is no success.

    Raises:
        InvalidAnswer: The body says none.
    """
    found = read_answer(Refusal, data)
    kind = UnknownTask if found.code == "unknown_task" else Refused
    return kind(found.code, found.message or found.code, status=status)


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
