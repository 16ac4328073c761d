"""``GET /api/status``: what this agent is, runs and does.

With ``?until=<task id>&wait=<seconds>`` the answer comes once that order has ended, see
:mod:`hydracore_agent.orders.longpoll`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydracore_agent.health.monitor import HealthMonitor
from hydracore_agent.health.result import UNHEALTHY
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.runner import OrderRunner
from hydracore_agent.plugins import Plugin
from hydracore_agent.running import RunningRelease

CAPABILITIES = (
    "actions",
    "apply_updates",
    "chat",
    "conversations",
    "deep_health",
    "orders",
    "power_cycle",
)
"""What every release of this source can do; plugins add theirs."""

TICKING = ("uptimeSeconds", "activeConnections")
"""Fields that change by themselves; a status that differs in these alone is no other status."""


@dataclass(frozen=True, slots=True)
class StatusReporter:
    """Puts the status together from the parts that know."""

    instance_id: str
    release: RunningRelease
    releases: Releases
    plugins: Sequence[Plugin]
    health: HealthMonitor
    memory: OrderMemory
    runner: OrderRunner
    connections: Callable[[], int]

    def on_trial(self) -> bool:
        """Return whether the launcher has yet to decide on this release."""
        task = self.memory.read().active
        return task is not None and task.state == "trial" and task.sha256 == self.release.sha256

    def status(self) -> dict[str, Any]:
        """Return the answer."""
        memory = self.memory.read()
        health = self.health.status()
        manifest = self.release.manifest
        return {
            "instanceId": self.instance_id,
            "slug": manifest.slug,
            "version": manifest.version,
            "bundleHash": self.release.sha256,
            "healthy": health != UNHEALTHY,
            "healthStatus": health,
            "startedAt": self.health.started_at,
            "uptimeSeconds": self.health.uptime(),
            "pid": os.getpid(),
            "onTrial": self.on_trial(),
            "epoch": memory.epoch,
            "capabilities": self.capabilities(),
            "activeConnections": self.connections(),
            "skillsLoaded": self.skills(),
            "nodeVersion": None,
            "components": [self._component()],
            "previousBundleHash": self._previous(),
            "task": self.runner.report(memory.latest) if memory.latest else None,
        }

    def capabilities(self) -> dict[str, bool]:
        """Return what this release can do."""
        names = [*CAPABILITIES, *(plugin.name for plugin in self.plugins)]
        return dict.fromkeys(names, True)

    def skills(self) -> list[str]:
        """Return the names of the plugins that answer in the chat."""
        return [plugin.name for plugin in self.plugins if plugin.skills]

    def _component(self) -> dict[str, str]:
        manifest = self.release.manifest
        return {
            "component": manifest.component,
            "slug": manifest.slug,
            "version": manifest.version,
            "sha256": self.release.sha256,
        }

    def _previous(self) -> str | None:
        current = self.releases.current()
        if current is None:
            return None
        on_trial = current.sha256 != self.release.sha256
        return current.sha256 if on_trial else current.previous


def tag(status: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that are the same for as long as a status says the same.

    ``pid`` and ``startedAt`` are in it, so that no two runs of an agent have one in common.
    """
    lasting = {key: value for key, value in status.items() if key not in TICKING}
    text = json.dumps(lasting, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
