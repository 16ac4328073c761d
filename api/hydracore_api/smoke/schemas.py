"""Wire forms of ``/internal/v1/smoke``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from hydracore_api.wire import Body, View


class SmokeProvision(Body):
    """An order for an instance of the smoke customer."""

    tier_id: Annotated[str, StringConstraints(max_length=80)] = Field(
        description="Name of an InstanceClass."
    )
    region_id: Annotated[str, StringConstraints(max_length=80)] = Field(
        description="One of the class's regions."
    )
    manifest_id: Annotated[str, StringConstraints(max_length=100)]
    idempotency_key: Annotated[str, StringConstraints(max_length=255)] = Field(
        description="The same key with the same body makes one instance."
    )
    agent_name: str | None = None


class SmokeProvisioned(View):
    """The order is accepted."""

    idempotency_key: str
    instance_id: str
    task_id: str | None = Field(description="uid of the Instance object.")


class SmokeInstance(View):
    """How an instance of the smoke customer is."""

    id: str
    status: str
    hostname: str | None


class SmokeByKey(View):
    """What an idempotency key has led to."""

    found: bool = True
    instance_id: str | None = None
    status: str | None = None


class SmokeDeleted(View):
    """Deletion was asked for, now or before."""

    instance_id: str
    status: str


class SmokeMessage(Body):
    """One message to the agent, in a conversation of its own."""

    message: Annotated[str, StringConstraints(max_length=4000)]


class SmokeLlmEvents(View):
    """Calls of language models that the agent has reported lately."""

    instance_id: str
    window_seconds: int
    count: int
    providers: list[str]
