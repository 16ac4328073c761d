"""What each action does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hydracore_agent.actions.request import ActionRequest
from hydracore_agent.actions.runner import Deed, Outcome
from hydracore_agent.chat.breaker import Breakers
from hydracore_agent.health.monitor import HealthMonitor
from hydracore_agent.updates.config import ConfigStore


def all_deeds(health: HealthMonitor, config: ConfigStore, breakers: Breakers) -> Mapping[str, Deed]:
    """Return the actions that this agent can carry out itself, by name."""

    async def power_cycle(_request: ActionRequest) -> Outcome:
        return Outcome("the process has left with exit status 0 and is back", restart=True)

    async def run_diagnostics(_request: ActionRequest) -> Outcome:
        report = await health.deep()
        found = report["subsystems"]
        poor = sorted(name for name, one in found.items() if one["status"] != "healthy")
        message = f"{len(found)} subsystems examined: {report['status']}"
        if poor:
            message += f" ({', '.join(poor)})"
        return Outcome(message, diagnostics=report)

    async def clear_circuit_breakers(_request: ActionRequest) -> Outcome:
        before = breakers.states()
        cleared = breakers.clear()
        if not before:
            return Outcome("no model provider is configured, so there is no circuit breaker")
        text = f"cleared {', '.join(cleared)}" if cleared else "all were closed already"
        detail = {f"before.{name}": state for name, state in before.items()}
        return Outcome(text, detail=detail)

    async def apply_updates(request: ActionRequest) -> Outcome:
        if request.config is None:
            return Outcome("no configuration was sent", ok=False)
        applied = await asyncio.to_thread(config.apply, request.config, force=request.force)
        text = f"applied {', '.join(applied)}" if applied else "everything was current already"
        return Outcome(text, restart=request.restart, detail={"applied": ",".join(applied)})

    return {
        "power-cycle": power_cycle,
        "run-diagnostics": run_diagnostics,
        "clear-circuit-breakers": clear_circuit_breakers,
        "apply-updates": apply_updates,
    }
