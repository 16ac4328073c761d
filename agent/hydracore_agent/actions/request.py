"""Reading what the control plane asks for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.orders.token import MAX_EPOCH
from hydracore_agent.updates.config import AgentConfig, read_config


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One action.

    Attributes:
        action_id: UUID; the agent carries out each at most once.
        epoch: Which leader sent it.
        not_after: Unix seconds; from then on it does not begin.
        config: What ``apply-updates`` is to apply.
        force: Apply also what is current.
        restart: Restart this process afterwards.
    """

    action_id: str
    action: str
    epoch: int
    not_after: int
    config: AgentConfig | None = None
    force: bool = False
    restart: bool = False


def read_request(action: str, body: Mapping[str, Any]) -> ActionRequest:
    """Return the request.

    Raises:
        FieldError: a field is missing or wrong.
    """
    fields = Fields(body, "body")
    base = ActionRequest(
        action_id=read_action_id(fields.text("actionId")),
        action=action,
        epoch=fields.integer("epoch", 0, MAX_EPOCH),
        not_after=fields.integer("notAfter", 0, MAX_EPOCH),
    )
    if action != "apply-updates":
        return base
    return ActionRequest(
        action_id=base.action_id,
        action=action,
        epoch=base.epoch,
        not_after=base.not_after,
        config=read_config(fields.section("config")),
        force=fields.flag("force", default=False),
        restart=fields.flag("restartAgent", default=False),
    )


def read_action_id(text: str) -> str:
    """Return an action's id in its one form.

    Raises:
        FieldError: it is not a UUID.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise FieldError("body.actionId must be a UUID") from None
