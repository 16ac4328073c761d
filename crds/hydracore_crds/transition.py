"""Transition: one step in the life of a Rollout or RolloutTarget, and who took it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import ShortText, Time, Wire

MAX_TRANSITIONS = 16
"""An object bears its newest so many; history (SQL) keeps all."""
MAX_TOLD = 256

TransitionEvent = Literal[
    "created",
    "started",
    "paused",
    "halted",
    "resumed",
    "approved",
    "rolling_back",
    "cancelling",
    "cancelled",
    "succeeded",
    "failed",
    "uncertain",
    "settled",
    "put_back",
    "retried",
    "reopened",
]
"""What happened. ``approved``: a person let the next wave begin. ``rolling_back``: what was updated
is taken back. ``settled``: late evidence about an uncertain outcome. ``put_back``: a target
whose order never went out waits again. ``reopened``: an ended rollout goes on, by a retry."""


class Transition(Wire):
    """One step: what happened, when, and by whom."""

    seq: int = Field(ge=1, description="Rises by one with each step.")
    event: TransitionEvent
    state: Annotated[str, StringConstraints(max_length=63)] = Field(
        description="The state that followed."
    )
    at: Time
    actor: ShortText = Field(
        description="api-key NAME (ID), kubernetes-user NAME, operator; where the user is not "
        "known, kubernetes:FIELD-MANAGER or unknown."
    )
    attempt: int | None = Field(default=None, ge=1, description="Of a target.")
    reason: Annotated[str, StringConstraints(max_length=63)] | None = None
    message: Annotated[str, StringConstraints(max_length=MAX_TOLD)] | None = None
