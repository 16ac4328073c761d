"""What could be updated on an instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydracore_api.auth.principal import Principal
from hydracore_api.instances.lookup import find
from hydracore_api.services import Services
from hydracore_api.updates.policies import instance_view, tenant_policy
from hydracore_api.updates.schemas import ComponentUpdate, UpdatesAvailable
from hydracore_core.policies import effective_mode
from hydracore_core.versions import available, update_for
from hydracore_crds import Instance
from hydracore_crds.bundle import Component
from hydracore_crds.update_policy import UpdateMode

MAX_COMPONENTS = 500


async def updates(services: Services, principal: Principal, id_: str) -> UpdatesAvailable:
    """Compare what the agent reports with what there is.

    Raises:
        NotFound: There is no such instance.
    """
    instance = await find(services, principal, id_)
    health = await services.history.health.get(id_)
    manifest: Mapping[str, Any] = (health.versions if health else None) or {}
    policy = tenant_policy(services, principal.namespace)

    def mode(component: Component) -> UpdateMode:
        return effective_mode(component, instance.spec.update_policy, policy).mode

    runtime = _compare(
        services,
        "runtime",
        instance.spec.runtime_type,
        _runtime_version(instance, manifest),
        mode("runtime"),
    )
    skills = _all(services, "skill", manifest.get("skills"), mode("skill"))
    servers = _all(services, "mcp-server", manifest.get("mcp_servers"), mode("mcp-server"))
    return UpdatesAvailable(
        instance_id=id_,
        runtime=runtime,
        skills=skills,
        mcp_servers=servers,
        total_available=sum(one.has_update for one in (runtime, *skills, *servers)),
        update_policy=instance_view(instance, policy),
        versions_reported_at=health.versions_reported_at if health else None,
    )


def _runtime_version(instance: Instance, manifest: Mapping[str, Any]) -> str | None:
    """Return the version in the status, which the operator keeps newer than any heartbeat."""
    if instance.status.runtime is not None and instance.status.runtime.version:
        return instance.status.runtime.version
    reported = manifest.get("runtime")
    return reported.get("version") if isinstance(reported, Mapping) else None


def _all(
    services: Services, component: Component, reported: object, mode: UpdateMode
) -> list[ComponentUpdate]:
    entries = reported if isinstance(reported, list) else []
    return [
        _compare(services, component, str(entry["slug"]), entry.get("version"), mode)
        for entry in entries[:MAX_COMPONENTS]
        if isinstance(entry, Mapping) and entry.get("slug")
    ]


def _compare(
    services: Services, component: Component, slug: str, current: str | None, mode: UpdateMode
) -> ComponentUpdate:
    found = update_for(current, available(services.cache.bundles.all(), component, slug), mode)
    return ComponentUpdate(
        component_type=component,
        slug=slug,
        current_version=found.current_version,
        available_version=found.available.spec.version if found.available else None,
        has_update=found.has_update,
        update_reason=found.reason,
        changelog=found.available.spec.changelog if found.available else None,
    )
