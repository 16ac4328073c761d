"""Instances as REST shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hydracore_agentclient import AgentStatus
from hydracore_api.instances.schemas import (
    InstanceByKey,
    InstanceDetail,
    InstanceLogs,
    InstanceRuntime,
    InstanceSummary,
    LogLine,
)
from hydracore_api.watch import instance_id
from hydracore_crds import Instance, InstanceClass
from hydracore_crds.base import parse_time
from hydracore_history import HealthRow, ProvisionLogEntry


def state(instance: Instance) -> str:
    """Return the state: deleting as soon as it was asked for, provisioning until it is known."""
    if instance.deleting:
        return "deleting"
    return instance.status.state or "provisioning"


def summary(instance: Instance, class_: InstanceClass | None) -> InstanceSummary:
    """Return an instance's line of the list."""
    spec, status = instance.spec, instance.status
    return InstanceSummary(
        id=instance_id(instance),
        agent_name=spec.agent_name,
        status=state(instance),
        hostname=status.hostname,
        ip_address=status.ip_address,
        provider=_provider(instance, class_),
        region_id=spec.region_id,
        product_tier_name=class_.spec.display_name if class_ else None,
        preset_id=spec.preset_id,
        customer_email=None,
        workload_type=spec.workload_type,
        runtime_type=spec.runtime_type,
        created_at=instance.metadata.creation_timestamp,
    )


def detail(
    instance: Instance, class_: InstanceClass | None, health: HealthRow | None
) -> InstanceDetail:
    """Return one instance in full."""
    spec, status = instance.spec, instance.status
    return InstanceDetail(
        id=instance_id(instance),
        agent_name=spec.agent_name,
        status=state(instance),
        provisioning_stage=status.provisioning_stage,
        callback_stage=status.bootstrap.stage if status.bootstrap else None,
        callback_seq=status.bootstrap.seq if status.bootstrap else 0,
        health_status=status.health_status,
        hostname=status.hostname,
        ip_address=status.ip_address,
        vpn_ip=None,
        provider=_provider(instance, class_),
        server_type_plan=_server_type(instance, class_),
        region_id=spec.region_id,
        preset_id=spec.preset_id,
        workload_type=spec.workload_type,
        runtime_type=spec.runtime_type,
        capabilities=_capabilities(instance, health),
        error_message=status.error_message,
        created_at=instance.metadata.creation_timestamp,
        updated_at=updated_at(instance),
    )


def runtime(
    instance: Instance,
    health: HealthRow | None,
    lines: Sequence[ProvisionLogEntry],
    live: AgentStatus | None,
) -> InstanceRuntime:
    """Return an instance's runtime; ``live`` is the agent's own answer, if it gave one."""
    status = instance.status
    known = status.runtime.version if status.runtime else None
    return InstanceRuntime(
        instance_id=instance_id(instance),
        status=state(instance),
        provisioning_stage=status.provisioning_stage,
        bootstrap_stage=status.bootstrap.stage if status.bootstrap else None,
        bootstrap_seq=status.bootstrap.seq if status.bootstrap else 0,
        health_status=live.health_status if live else status.health_status,
        health_failures=health.failures if health else 0,
        last_heartbeat=health.last_heartbeat if health else None,
        openclaw_version=(live.version if live else None) or known,
        node_version=live.node_version if live else None,
        uptime_seconds=live.uptime_seconds if live else None,
        active_connections=live.active_connections if live else None,
        skills_loaded=list(live.skills_loaded) if live else [],
        error_code=status.error_code,
        error_message=status.error_message,
        provision_logs=[line(entry) for entry in lines],
    )


def by_key(instance: Instance, lines: Sequence[ProvisionLogEntry]) -> InstanceByKey:
    """Return what an idempotency key has led to."""
    status = instance.status
    return InstanceByKey(
        found=True,
        instance_id=instance_id(instance),
        status=state(instance),
        provisioning_stage=status.provisioning_stage,
        bootstrap_stage=status.bootstrap.stage if status.bootstrap else None,
        bootstrap_seq=status.bootstrap.seq if status.bootstrap else 0,
        hostname=status.hostname,
        error_message=status.error_message,
        logs=[line(entry) for entry in lines],
    )


def logs(id_: str, lines: Sequence[ProvisionLogEntry]) -> InstanceLogs:
    """Return a provision log."""
    shown = [line(entry) for entry in lines]
    return InstanceLogs(instance_id=id_, logs=shown, total=lines[-1].seq if lines else 0)


def line(entry: ProvisionLogEntry) -> LogLine:
    """Return one line of a provision log."""
    return LogLine(
        seq=entry.seq,
        stage=entry.stage,
        level=entry.level,
        message=entry.message,
        created_at=entry.created_at,
    )


def updated_at(instance: Instance) -> datetime | None:
    """Return when an object was last written: the newest ``managedFields`` time."""
    times = [parse_time(entry.get("time")) for entry in instance.metadata.managed_fields]
    known = [time for time in times if isinstance(time, datetime)]
    return max(known, default=instance.metadata.creation_timestamp)


def _provider(instance: Instance, class_: InstanceClass | None) -> str | None:
    if instance.status.provider is not None:
        return instance.status.provider.name
    return class_.spec.provider if class_ else None


def _server_type(instance: Instance, class_: InstanceClass | None) -> str | None:
    provider = instance.status.provider
    if provider is not None and provider.server_type is not None:
        return provider.server_type
    return class_.spec.server_type if class_ else None


def _capabilities(instance: Instance, health: HealthRow | None) -> dict[str, bool]:
    if health is None or instance.status.health_status in (None, "unreachable", "unknown"):
        return {}
    found: Any = (health.last_status or {}).get("capabilities")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): value for name, value in found.items() if isinstance(value, bool)}
