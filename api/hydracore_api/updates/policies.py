"""Rules of update policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, NotFound, Unprocessable
from hydracore_api.instances.lookup import NOT_FOUND, find
from hydracore_api.services import Services
from hydracore_api.updates.schemas import (
    FleetPolicy,
    FleetPolicyChange,
    InstancePolicy,
    InstancePolicyChange,
)
from hydracore_api.updates.windows import window_views, windows_spec
from hydracore_api.wire import Body
from hydracore_core.platform.freeze import Freeze, freeze_of
from hydracore_core.policies import effective_mode, parallel_limit, tenant_mode
from hydracore_core.windows import window_state
from hydracore_crds import Instance, ObjectMeta, UpdatePolicy
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_crds.platform_policy import DEFAULT_NAME as PLATFORM_DEFAULT
from hydracore_crds.update_policy import DEFAULT_NAME, MaintenanceWindow
from hydracore_kube import AlreadyExists
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import NotFound as KubeNotFound

TRIES = 10
START = "maintenance_window_start_hour_utc"
END = "maintenance_window_end_hour_utc"


def tenant_policy(services: Services, namespace: str) -> UpdatePolicy | None:
    """Return a tenant's policy, if it has one."""
    return services.cache.policies.get(f"{namespace}/{DEFAULT_NAME}")


def get_fleet(services: Services, principal: Principal) -> FleetPolicy:
    """Return the tenant's defaults."""
    return _fleet(services, tenant_policy(services, principal.namespace))


async def change_fleet(
    services: Services, principal: Principal, change: FleetPolicyChange
) -> FleetPolicy:
    """Change the tenant's defaults.

    Raises:
        Unprocessable: A mode that is not supported, a maintenance window with one end only, or a
            window that cannot be evaluated.
    """
    _supported(change, skills="skills_default", mcp_servers="mcp_servers_default")
    for _ in range(TRIES):
        old = await _read(services, principal.namespace)
        spec = _patch(change, old)
        if old is not None and not spec:
            return _fleet(services, old)
        try:
            stored = await _write(services, principal.namespace, old, spec)
        except (KubeConflict, AlreadyExists, KubeNotFound):
            continue
        services.cache.policies.upsert(stored)
        return _fleet(services, stored)
    raise Conflict("The policy is being changed by others: try again")


def _fleet(services: Services, policy: UpdatePolicy | None) -> FleetPolicy:
    freeze = freeze_of(services.cache.platform.get(PLATFORM_DEFAULT), services.now())
    return fleet_view(policy, freeze, services.now())


def fleet_view(policy: UpdatePolicy | None, freeze: Freeze | None, now: datetime) -> FleetPolicy:
    """Return a tenant's policy, and what holds by it and a freeze at ``now``, as REST shows it."""
    window = policy.spec.maintenance_window if policy else None
    state = window_state(policy, now)
    return FleetPolicy(
        runtime_default=tenant_mode("runtime", policy),
        skills_default=tenant_mode("skill", policy),
        mcp_servers_default=tenant_mode("mcp-server", policy),
        max_parallel_rollouts=parallel_limit(policy),
        maintenance_window_start_hour_utc=window.start_hour_utc if window else None,
        maintenance_window_end_hour_utc=window.end_hour_utc if window else None,
        windows=window_views(policy.spec.windows) if policy else [],
        opening_jitter_seconds=policy.spec.opening_jitter_seconds if policy else 0,
        window_open=state.open,
        next_opens_at=None if state.open else state.next_change,
        window_message=state.why,
        platform_frozen=freeze is not None,
        platform_frozen_until=freeze.until if freeze is not None else None,
        platform_message=freeze.why if freeze is not None else None,
    )


async def change_instance(
    services: Services, principal: Principal, id_: str, change: InstancePolicyChange
) -> InstancePolicy:
    """Change what an instance wants otherwise than its tenant.

    Raises:
        NotFound: There is no such instance.
        Unprocessable: A mode that is not supported.
    """
    instance = await find(services, principal, id_)
    _supported(change, skills="skills", mcp_servers="mcp_servers")
    fields = change.model_dump(include=change.model_fields_set)
    names = {"runtime": "runtime", "skills": "skills", "mcp_servers": "mcpServers"}
    wanted = {names[field]: value for field, value in fields.items()}
    if wanted:
        body = {
            "metadata": {"uid": instance.metadata.uid},
            "spec": {"updatePolicy": wanted},
        }
        try:
            instance = await services.kube.patch(
                Instance, instance.metadata.name, instance.metadata.namespace, body
            )
        except (KubeNotFound, KubeConflict):
            raise NotFound(NOT_FOUND) from None
        services.cache.instances.upsert(instance)
    return instance_view(instance, tenant_policy(services, principal.namespace))


def instance_view(instance: Instance, policy: UpdatePolicy | None) -> InstancePolicy:
    """Return what holds for an instance."""
    own = instance.spec.update_policy
    runtime = effective_mode("runtime", own, policy)
    skills = effective_mode("skill", own, policy)
    servers = effective_mode("mcp-server", own, policy)
    return InstancePolicy(
        runtime=runtime.mode,
        runtime_override=runtime.override,
        runtime_source=runtime.source,
        skills=skills.mode,
        skills_override=skills.override,
        skills_source=skills.source,
        mcp_servers=servers.mode,
        mcp_servers_override=servers.override,
        mcp_servers_source=servers.source,
    )


def _supported(change: Body, **fields: str) -> None:
    for what, field in fields.items():
        if getattr(change, field) == "auto":
            raise Unprocessable(
                ["body", field],
                f"auto is not supported for {what} yet: use notify or disabled",
                "auto_unsupported",
            )


def _patch(change: FleetPolicyChange, old: UpdatePolicy | None) -> dict[str, Any]:
    """Return the merge patch of ``spec``."""
    names = {
        "runtime_default": "runtime",
        "skills_default": "skills",
        "mcp_servers_default": "mcpServers",
        "max_parallel_rollouts": "maxParallelRollouts",
        "opening_jitter_seconds": "openingJitterSeconds",
    }
    given = change.model_dump(include=change.model_fields_set)
    spec: dict[str, Any] = {names[f]: v for f, v in given.items() if f in names}
    if START in given or END in given:
        spec["maintenanceWindow"] = _window(given, old)
    if "windows" in given:
        spec["windows"] = windows_spec(change.windows) if change.windows is not None else None
    return spec


def _window(given: dict[str, Any], old: UpdatePolicy | None) -> dict[str, int] | None:
    known: MaintenanceWindow | None = old.spec.maintenance_window if old else None
    start = given.get(START, known.start_hour_utc if known else None)
    end = given.get(END, known.end_hour_utc if known else None)
    if start is None and end is None:
        return None
    if start is None or end is None:
        missing = START if start is None else END
        raise Unprocessable(
            ["body", missing],
            "a maintenance window needs both hours: send the other one too, or null for both",
            "window_incomplete",
        )
    return {"startHourUtc": start, "endHourUtc": end}


async def _read(services: Services, namespace: str) -> UpdatePolicy | None:
    try:
        return await services.kube.get(UpdatePolicy, DEFAULT_NAME, namespace)
    except KubeNotFound:
        return None


async def _write(
    services: Services, namespace: str, old: UpdatePolicy | None, spec: dict[str, Any]
) -> UpdatePolicy:
    if old is None:
        wanted = {key: value for key, value in spec.items() if value is not None}
        metadata = ObjectMeta(
            name=DEFAULT_NAME, namespace=namespace, labels={MANAGED_BY_LABEL: "api"}
        )
        policy = UpdatePolicy.model_validate({"spec": wanted})
        return await services.kube.create(policy.model_copy(update={"metadata": metadata}))
    body = {
        "metadata": {
            "uid": old.metadata.uid,
            "resourceVersion": old.metadata.resource_version,
        },
        "spec": spec,
    }
    return await services.kube.patch(UpdatePolicy, DEFAULT_NAME, namespace, body)
