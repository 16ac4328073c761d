"""Cleaning up: every instance of the tenant that ended in error or failed is deleted."""

from __future__ import annotations

import asyncio

import structlog

from hydracore_api.auth.principal import Principal
from hydracore_api.instances.lookup import read
from hydracore_api.instances.schemas import CleanedUp
from hydracore_api.services import Services
from hydracore_crds import Instance
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import KubeError
from hydracore_kube import NotFound as KubeNotFound

BROKEN = frozenset({"error", "failed"})
AT_ONCE = 8
TRIES = 5

log = structlog.get_logger(__name__)


async def cleanup(services: Services, principal: Principal) -> CleanedUp:
    """Ask for the deletion of every instance that is in state ``error`` or ``failed``.

    Each is read freshly before, and deleted only as it was read: one that has recovered meanwhile
    stays.

    Returns:
        How many deletions were accepted, and how many were refused.
    """
    broken = [one for one in services.cache.instances.in_namespace(principal.namespace) if _is(one)]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(instance: Instance) -> bool | None:
        async with room:
            return await _remove(services, instance)

    ends = await asyncio.gather(*(one(instance) for instance in broken))
    cleaned, errors = ends.count(True), ends.count(False)
    log.info("instances_cleaned_up", cleaned=cleaned, errors=errors, by=principal.key.id)
    return CleanedUp(cleaned=cleaned, errors=errors, message=_message(cleaned, errors))


def _is(instance: Instance) -> bool:
    return instance.status.state in BROKEN and not instance.deleting


async def _remove(services: Services, instance: Instance) -> bool | None:
    """Return whether the deletion was accepted; None where nothing is left to delete."""
    name, namespace = instance.metadata.name, instance.metadata.namespace or ""
    try:
        for _ in range(TRIES):
            fresh = await read(services, namespace, name)
            if fresh is None or fresh.metadata.uid != instance.metadata.uid or not _is(fresh):
                return None
            try:
                await services.kube.delete(
                    Instance,
                    name,
                    namespace,
                    uid=fresh.metadata.uid,
                    resource_version=fresh.metadata.resource_version,
                )
            except KubeNotFound:
                return None
            except KubeConflict:
                continue
            return True
    except KubeError as error:
        log.warning("cleanup_refused", instance=name, error=type(error).__name__)
    return False


def _message(cleaned: int, errors: int) -> str:
    if not cleaned and not errors:
        return "No instance is in state error or failed: there is nothing to clean up"
    text = f"{cleaned} {'instance is' if cleaned == 1 else 'instances are'} being deleted"
    if errors:
        text += f"; the cluster refused {errors}: try again"
    return text
