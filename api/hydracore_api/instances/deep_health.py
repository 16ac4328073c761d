"""An agent's thorough examination of itself: the stored report, or a new one."""

from __future__ import annotations

import structlog
from pydantic import ValidationError

from hydracore_agentclient import DeepHealth
from hydracore_api.actions.schemas import SubsystemHealth
from hydracore_api.auth.principal import Principal
from hydracore_api.instances.lookup import find, running_endpoint
from hydracore_api.instances.schemas import InstanceDeepHealth
from hydracore_api.services import Services
from hydracore_history import DeepHealthReport, HistoryUnavailable

UNKNOWN = "unknown"

log = structlog.get_logger(__name__)


async def deep_health(
    services: Services, principal: Principal, id_: str, *, force: bool
) -> InstanceDeepHealth:
    """Return how an agent has found itself to be.

    Args:
        services: The services.
        principal: Who asks.
        id_: The instance.
        force: Have the agent examine itself now, and store its report. Otherwise the stored one is
            returned, and where there is none, that nothing is known.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is not running (only with ``force``).
        AgentError: The agent cannot be asked (only with ``force``).
    """
    instance = await find(services, principal, id_)
    if not force:
        return _stored(id_, await _row(services, id_))
    found = await services.agents.deep_health(running_endpoint(instance))
    await _store(services, id_, found)
    return _view(id_, found, cached=False)


async def _row(services: Services, id_: str) -> DeepHealth | None:
    row = await services.history.health.get(id_)
    if row is None or row.deep_health is None:
        return None
    try:
        return DeepHealth.model_validate(row.deep_health)
    except ValidationError:
        log.warning("stored_report_unreadable", instance_id=id_)
        return None


async def _store(services: Services, id_: str, found: DeepHealth) -> None:
    report = DeepHealthReport(id_, services.now(), found.to_wire(), None)
    try:
        await services.history.health.polls([], [report])
    except HistoryUnavailable as fault:
        log.warning("report_not_stored", instance_id=id_, fault=str(fault))


def _stored(id_: str, found: DeepHealth | None) -> InstanceDeepHealth:
    if found is not None:
        return _view(id_, found, cached=True)
    return InstanceDeepHealth(
        instance_id=id_,
        cached=True,
        status=UNKNOWN,
        checked_at=None,
        uptime_seconds=None,
        subsystems={},
    )


def _view(id_: str, found: DeepHealth, *, cached: bool) -> InstanceDeepHealth:
    return InstanceDeepHealth(
        instance_id=id_,
        cached=cached,
        status=found.status,
        checked_at=found.checked_at,
        uptime_seconds=int(found.uptime_seconds),
        subsystems={
            name: SubsystemHealth(
                status=one.status, message=one.message or "", latency_ms=one.latency_ms
            )
            for name, one in found.subsystems.items()
        },
    )
