"""Rules of actions: an InstanceAction is made, the operator carries it out, REST waits a while."""

from __future__ import annotations

import re
import secrets

import structlog

from hydracore_api.actions import views
from hydracore_api.actions.schemas import ActionEntry, ActionList, DeepHealth
from hydracore_api.auth.principal import Principal
from hydracore_api.errors import BadGateway, Conflict, GatewayTimeout
from hydracore_api.instances.lookup import endpoint, find
from hydracore_api.services import Services
from hydracore_api.watch import instance_id
from hydracore_core.actions.model import WORKS_IN
from hydracore_core.actions.plan import is_over
from hydracore_crds import Instance, InstanceAction, ObjectMeta
from hydracore_crds.instance_action import (
    FINISHED_STATES,
    ActionName,
    ActionParameters,
    InstanceActionSpec,
)
from hydracore_crds.names import MANAGED_BY_LABEL

MOST_LISTED = 100
_MAX_NAME = 63

log = structlog.get_logger(__name__)


async def run(
    services: Services,
    principal: Principal,
    id_: str,
    action: ActionName,
    parameters: ActionParameters | None = None,
) -> InstanceAction:
    """Ask for an action, and wait a while for its end; return it as it is then.

    Raises:
        NotFound: The tenant has no such instance.
        Conflict: The instance is not in a state for it, or the same is under way already.
    """
    instance = await find(services, principal, id_)
    _check(services, instance, action, parameters)
    wanted = InstanceAction(
        metadata=ObjectMeta(
            name=_name(action, instance),
            namespace=principal.namespace,
            labels={MANAGED_BY_LABEL: "api"},
        ),
        spec=InstanceActionSpec(
            instance_name=instance.metadata.name,
            action=action,
            parameters=parameters,
            requested_by=principal.actor,
        ),
    )
    stored = await services.kube.create(wanted)
    services.cache.actions.upsert(stored)
    log.info("action_created", action=stored.key, what=action, by=principal.id)

    def current() -> InstanceAction:
        known = services.cache.actions.get(stored.key)
        return known if known is not None and known.metadata.uid == stored.metadata.uid else stored

    await services.cache.until(lambda: is_over(current()), services.settings.action_wait_seconds)
    return current()


async def diagnose(services: Services, principal: Principal, id_: str) -> DeepHealth:
    """Have an agent examine itself now, and return its report.

    Raises:
        BadGateway: The agent could not be reached, or could not do it.
        GatewayTimeout: It did not answer in time; the action goes on.
    """
    action = await run(services, principal, id_, "run-diagnostics")
    if action.status.diagnostics is not None and action.status.state == "succeeded":
        return views.deep_health(action.status.diagnostics, id_)
    where = f"action {action.metadata.uid}: {views.message(action)}"
    if is_over(action):
        raise BadGateway(f"The diagnostics have not succeeded ({where})")
    raise GatewayTimeout(f"The diagnostics have not ended in time ({where}): see the actions")


async def list_(services: Services, principal: Principal, id_: str, limit: int) -> ActionList:
    """Return an instance's actions, newest first, also those that are only in the archive."""
    instance = await find(services, principal, id_)
    live = [
        one
        for one in services.cache.actions.in_namespace(principal.namespace)
        if _is_of(one, instance)
    ]
    archived = await services.history.actions.list(
        principal.namespace,
        MOST_LISTED,
        0,
        instance_id=id_,
        without=[one.metadata.uid for one in live],
    )
    found = live + [InstanceAction.model_validate(one.wire) for one in archived]
    found.sort(key=_newness, reverse=True)
    shown: list[ActionEntry] = [views.entry(one) for one in found[:limit]]
    return ActionList(actions=shown, total=min(len(found), MOST_LISTED))


def _check(
    services: Services,
    instance: Instance,
    action: ActionName,
    parameters: ActionParameters | None,
) -> None:
    state = instance.status.state
    if instance.deleting or state not in WORKS_IN[action] or endpoint(instance) is None:
        raise Conflict("The instance is not running: see its status and provision log")
    for other in services.cache.actions.in_namespace(instance.metadata.namespace or ""):
        same = other.spec.action == action and other.spec.parameters == parameters
        if same and views.state(other) not in FINISHED_STATES and _is_of(other, instance):
            raise Conflict(
                f"The same action is under way already (action {other.metadata.uid}): wait for it"
            )


def _is_of(action: InstanceAction, instance: Instance) -> bool:
    """Whether an action is for this very instance; a namesake inherits none."""
    if action.status.instance_id is not None:
        return action.status.instance_id == instance_id(instance)
    if action.spec.instance_name != instance.metadata.name:
        return False
    asked, made = action.metadata.creation_timestamp, instance.metadata.creation_timestamp
    return asked is None or made is None or asked >= made


def _name(action: ActionName, instance: Instance) -> str:
    suffix = secrets.token_hex(4)
    readable = re.sub(r"[^a-z0-9-]+", "-", f"{action}-{instance.metadata.name}")
    return f"{readable[: _MAX_NAME - len(suffix) - 1].rstrip('-')}-{suffix}"


def _newness(action: InstanceAction) -> tuple[str, bool, float, str]:
    """Return what orders actions by age: making is told in whole seconds, the beginning finer."""
    began = action.status.started_at
    return (
        str(action.metadata.creation_timestamp or ""),
        began is None,
        began.timestamp() if began is not None else 0.0,
        action.metadata.uid,
    )
