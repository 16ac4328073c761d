"""``/v1/instances/{instance_id}/actions…`` and ``updates/apply``."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from hydracore_api.actions import service, views
from hydracore_api.actions.schemas import (
    ActionList,
    ActionResult,
    ApplyUpdates,
    DeepHealth,
    UpdatesApplied,
)
from hydracore_api.auth.dependencies import AdminWrite, CanRead, CanWrite
from hydracore_api.auth.principal import Principal
from hydracore_api.errors import BadGateway, Conflict, GatewayTimeout, NotFound, responses
from hydracore_api.instances.endpoints import InstanceId
from hydracore_api.responses import V1, WITH_BODY
from hydracore_api.services import AnyServices, Services
from hydracore_core.actions.plan import is_over
from hydracore_crds import InstanceAction
from hydracore_crds.instance_action import ActionName, ActionParameters

router = APIRouter(prefix="/v1/instances", responses=V1)

_ACTIONS = "/{instance_id}/actions"
_OPS: list[str | Enum] = ["Instance ops"]
_PENDING = "It has not ended in time; see the instance's actions."


def _run(model: type[Any]) -> dict[int | str, dict[str, Any]]:
    return {202: {"model": model, "description": _PENDING}, **responses(NotFound, Conflict)}


@router.get(_ACTIONS, summary="List Actions", tags=_OPS, responses=responses(NotFound))
async def list_actions(
    services: AnyServices,
    principal: CanRead,
    instance_id: InstanceId,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ActionList:
    """Return an instance's recent actions, newest first, archived ones too."""
    return await service.list_(services, principal, str(instance_id), limit)


@router.post(
    f"{_ACTIONS}/power-cycle", summary="Power Cycle", tags=_OPS, responses=_run(ActionResult)
)
async def power_cycle(
    services: AnyServices, principal: CanWrite, instance_id: InstanceId, response: Response
) -> ActionResult:
    """Restart the agent's process: it leaves with exit status 0 and is back in about 2 seconds."""
    return await _result(services, principal, str(instance_id), "power-cycle", response)


@router.post(f"{_ACTIONS}/reboot", summary="Reboot", tags=_OPS, responses=_run(ActionResult))
async def reboot(
    services: AnyServices, principal: AdminWrite, instance_id: InstanceId, response: Response
) -> ActionResult:
    """Restart the whole server. Admin only; use it where a power cycle does not help."""
    return await _result(services, principal, str(instance_id), "reboot", response)


@router.post(
    f"{_ACTIONS}/clear-circuit-breakers",
    summary="Clear Circuit Breakers",
    tags=_OPS,
    responses=_run(ActionResult),
)
async def clear_circuit_breakers(
    services: AnyServices, principal: CanWrite, instance_id: InstanceId, response: Response
) -> ActionResult:
    """Close the circuit breakers of the agent's model providers, so that they are asked again."""
    return await _result(services, principal, str(instance_id), "clear-circuit-breakers", response)


@router.post(
    f"{_ACTIONS}/run-diagnostics",
    summary="Run Diagnostics",
    tags=_OPS,
    responses=responses(NotFound, Conflict, BadGateway, GatewayTimeout),
)
async def run_diagnostics(
    services: AnyServices, principal: CanWrite, instance_id: InstanceId
) -> DeepHealth:
    """Have the agent examine itself now, and return its report."""
    return await service.diagnose(services, principal, str(instance_id))


@router.post(
    "/{instance_id}/updates/apply",
    summary="Apply Updates",
    tags=["Instances"],
    responses=_run(UpdatesApplied) | WITH_BODY,
)
async def apply_updates(
    services: AnyServices,
    principal: CanWrite,
    instance_id: InstanceId,
    body: ApplyUpdates,
    response: Response,
) -> UpdatesApplied:
    """Give the agent the configuration that its Instance has now, without a new runtime."""
    wishes = ActionParameters(force=body.force, restart_agent=body.restart_agent)
    action = await service.run(services, principal, str(instance_id), "apply-updates", wishes)
    response.status_code = _status(action)
    return views.updates(action, str(instance_id))


async def _result(
    services: Services, principal: Principal, id_: str, action: ActionName, response: Response
) -> ActionResult:
    done = await service.run(services, principal, id_, action)
    response.status_code = _status(done)
    return views.result(done, id_)


def _status(action: InstanceAction) -> int:
    return 200 if is_over(action) else 202
