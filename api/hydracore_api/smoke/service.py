"""Rules of smoke tests: the customer's own path, and only the smoke customer's instances."""

from __future__ import annotations

import uuid
from datetime import timedelta

from fastapi import Response
from pydantic import ValidationError

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import NotFound, Unprocessable
from hydracore_api.instances import chat as chats
from hydracore_api.instances import create as creation
from hydracore_api.instances import service as instances
from hydracore_api.instances import views
from hydracore_api.instances.lookup import NOT_FOUND, find, running_endpoint
from hydracore_api.instances.schemas import CreateInstance
from hydracore_api.services import Services
from hydracore_api.smoke.schemas import (
    SmokeByKey,
    SmokeDeleted,
    SmokeInstance,
    SmokeLlmEvents,
    SmokeMessage,
    SmokeProvision,
    SmokeProvisioned,
)
from hydracore_crds import Instance


async def provision(
    services: Services, principal: Principal, body: SmokeProvision
) -> SmokeProvisioned:
    """Order an instance as a customer does.

    Raises:
        Unprocessable: A field cannot be used, or the key stands for another body.
        Conflict: The tenant is being deleted.
    """
    try:
        order = CreateInstance(**body.model_dump(), customer_id=services.settings.smoke_customer_id)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Unprocessable(["body", *first["loc"]], first["msg"], first["type"]) from None
    made = await creation.create(services, principal, order)
    return SmokeProvisioned(
        idempotency_key=made.idempotency_key, instance_id=made.instance_id, task_id=made.task_id
    )


async def get(services: Services, principal: Principal, id_: str) -> SmokeInstance:
    """Return how an instance is.

    Raises:
        NotFound: The smoke customer has no such instance.
    """
    shown = views.summary(await _own(services, principal, id_), None)
    return SmokeInstance(id=shown.id, status=shown.status, hostname=shown.hostname)


async def by_key(services: Services, principal: Principal, key: str) -> SmokeByKey:
    """Return what an idempotency key has led to; one of another customer is as an unknown one."""
    found = await instances.by_key(services, principal, key)
    if not found.found or found.instance_id is None:
        return SmokeByKey(found=False)
    try:
        if found.status == "deleted":
            await _check_deleted(services, found.instance_id)
        else:
            await _own(services, principal, found.instance_id)
    except NotFound:
        return SmokeByKey(found=False)
    return SmokeByKey(instance_id=found.instance_id, status=found.status)


async def delete(services: Services, principal: Principal, id_: str) -> SmokeDeleted:
    """Ask for an instance's deletion; asking again is no error.

    Raises:
        NotFound: The smoke customer never had such an instance.
    """
    try:
        living = await find(services, principal, id_)
    except NotFound:
        await _check_deleted(services, id_)
    else:
        _check(services, living)
    ended = await instances.delete(services, principal, id_)
    return SmokeDeleted(instance_id=ended.instance_id, status=ended.status)


async def chat(services: Services, principal: Principal, id_: str, body: SmokeMessage) -> Response:
    """Send one message and stream the answer; no other stream stands in the way.

    Raises:
        NotFound: The smoke customer has no such instance.
        Unprocessable: The message is empty.
        Conflict: The instance is not running.
        AgentError: The agent cannot be asked.
    """
    if not body.message:
        raise Unprocessable(["body", "message"], "the message is empty", "string_too_short")
    where = running_endpoint(await _own(services, principal, id_))
    return await chats.stream(services, where, body.message, str(uuid.uuid4()), place=None)


async def llm_events(
    services: Services, principal: Principal, id_: str, window_seconds: int
) -> SmokeLlmEvents:
    """Return which calls of language models the agent has reported lately.

    Raises:
        NotFound: The smoke customer has no such instance.
    """
    await _own(services, principal, id_)
    since = services.now() - timedelta(seconds=window_seconds)
    calls = await services.history.usage.recent(id_, since)
    return SmokeLlmEvents(
        instance_id=id_,
        window_seconds=window_seconds,
        count=sum(calls.values()),
        providers=list(calls),
    )


async def _own(services: Services, principal: Principal, id_: str) -> Instance:
    found = await find(services, principal, id_)
    _check(services, found)
    return found


def _check(services: Services, instance: Instance) -> None:
    if instance.spec.customer_id != services.settings.smoke_customer_id:
        raise NotFound(NOT_FOUND)


async def _check_deleted(services: Services, id_: str) -> None:
    """See that a deleted instance was the smoke customer's, as far as that was kept."""
    stone = await services.history.tombstones.get(id_)
    if stone is not None and stone.customer_id != services.settings.smoke_customer_id:
        raise NotFound(NOT_FOUND)
