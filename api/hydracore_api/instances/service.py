"""Rules of reading and deleting instances."""

from __future__ import annotations

from hydracore_agentclient import AgentError, AgentStatus
from hydracore_api.auth.principal import Principal
from hydracore_api.errors import NotFound
from hydracore_api.instances import views
from hydracore_api.instances.lookup import NOT_FOUND, endpoint, find, read
from hydracore_api.instances.schemas import (
    InstanceByKey,
    InstanceDeleted,
    InstanceDetail,
    InstanceList,
    InstanceLogs,
    InstanceRuntime,
)
from hydracore_api.services import Services
from hydracore_api.watch import instance_id
from hydracore_api.wire import storable
from hydracore_crds import Instance, InstanceClass
from hydracore_history import HealthRow, HistoryUnavailable, IdempotencyRecord
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import NotFound as KubeNotFound

MAX_KEY = 255


def list_(services: Services, principal: Principal) -> InstanceList:
    """Return the tenant's instances, newest first."""
    found = services.cache.instances.in_namespace(principal.namespace)
    found.sort(key=lambda one: one.metadata.name)
    found.sort(key=lambda one: str(one.metadata.creation_timestamp or ""), reverse=True)
    return InstanceList(instances=[views.summary(one, _class(services, one)) for one in found])


async def get(services: Services, principal: Principal, id_: str) -> InstanceDetail:
    """Return one instance."""
    instance = await find(services, principal, id_)
    return views.detail(instance, _class(services, instance), await _health(services, id_))


async def logs(services: Services, principal: Principal, id_: str) -> InstanceLogs:
    """Return an instance's provision log."""
    await find(services, principal, id_)
    return views.logs(id_, await services.history.provision_log.list(id_))


async def runtime(services: Services, principal: Principal, id_: str) -> InstanceRuntime:
    """Return how the agent is; when it cannot be asked, what is known of it."""
    instance = await find(services, principal, id_)
    lines = await services.history.provision_log.list(id_)
    health = await services.history.health.get(id_)
    return views.runtime(instance, health, lines, await _live(services, instance))


async def by_key(services: Services, principal: Principal, key: str) -> InstanceByKey:
    """Return what an idempotency key has led to; unknown ones are ``found: false``."""
    if len(key) > MAX_KEY or not storable(key):
        return InstanceByKey(found=False)
    claim = await services.history.idempotency.get(principal.tenant_id, key)
    if claim is None:
        return InstanceByKey(found=False)
    instance = await of_claim(services, principal, claim)
    lines = await services.history.provision_log.list(claim.instance_id)
    if instance is not None:
        return views.by_key(instance, lines)
    if not await _existed(services, claim):
        return InstanceByKey(found=False)
    return InstanceByKey(
        found=True,
        instance_id=claim.instance_id,
        status="deleted",
        logs=[views.line(entry) for entry in lines],
    )


async def of_claim(
    services: Services, principal: Principal, claim: IdempotencyRecord
) -> Instance | None:
    """Return the Instance that a claim made; None before and after its life."""
    cached = services.cache.instances.get(f"{principal.namespace}/{claim.name}")
    found = cached or await read(services, principal.namespace, claim.name)
    if found is None or instance_id(found) != claim.instance_id:
        return None
    return found


async def delete(services: Services, principal: Principal, id_: str) -> InstanceDeleted:
    """Ask for an instance's deletion; asking again is no error.

    Raises:
        NotFound: The tenant never had such an instance.
    """
    try:
        instance = await find(services, principal, id_)
    except NotFound:
        return await _deleted_before(services, principal, id_)
    if instance.deleting:
        return _deleting(id_, already=True)
    try:
        await services.kube.delete(
            Instance,
            instance.metadata.name,
            instance.metadata.namespace,
            uid=instance.metadata.uid,
        )
    except (KubeNotFound, KubeConflict):
        # Gone meanwhile, or a namesake stands there now.
        return await _deleted_before(services, principal, id_, seen=True)
    fresh = await read(services, principal.namespace, instance.metadata.name)
    if fresh is None or fresh.metadata.uid != instance.metadata.uid:
        services.cache.instances.remove(instance.key, instance.metadata.uid)
    return _deleting(id_, already=False)


async def _deleted_before(
    services: Services, principal: Principal, id_: str, *, seen: bool = False
) -> InstanceDeleted:
    if not seen and not await _was_ours(services, principal, id_):
        raise NotFound(NOT_FOUND)
    return InstanceDeleted(
        instance_id=id_,
        status="deleted",
        already_deleted=True,
        message="The instance was deleted before",
    )


async def _was_ours(services: Services, principal: Principal, id_: str) -> bool:
    stone = await services.history.tombstones.get(id_)
    if stone is not None:
        return stone.tenant_id == principal.tenant_id
    claim = await services.history.idempotency.by_instance(id_)
    return (
        claim is not None
        and claim.tenant_id == principal.tenant_id
        and await _existed(services, claim)
    )


async def _existed(services: Services, claim: IdempotencyRecord) -> bool:
    """Whether a claim's Instance was made; one deleted before the operator saw it has no stone."""
    if claim.task_id is not None:
        return True
    return await services.history.tombstones.get(claim.instance_id) is not None


def _deleting(id_: str, *, already: bool) -> InstanceDeleted:
    message = "The instance is being deleted" if already else "Deletion has begun"
    return InstanceDeleted(
        instance_id=id_, status="deleting", already_deleted=already, message=message
    )


def _class(services: Services, instance: Instance) -> InstanceClass | None:
    return services.cache.classes.get(instance.spec.class_name)


async def _health(services: Services, id_: str) -> HealthRow | None:
    try:
        return await services.history.health.get(id_)
    except HistoryUnavailable:
        return None  # what the cluster knows is answer enough


async def _live(services: Services, instance: Instance) -> AgentStatus | None:
    where = endpoint(instance)
    if where is None or where.public_key is None or instance.deleting:
        return None
    try:
        return await services.agents.status(where)
    except AgentError:
        return None
