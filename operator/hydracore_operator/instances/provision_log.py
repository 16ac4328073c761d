"""The provision log's lines: what is new between two statuses, each told once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import structlog

from hydracore_crds.instance import InstanceStatus
from hydracore_history import HistoryUnavailable
from hydracore_operator.instances.admission import holder_of_id
from hydracore_operator.instances.scope import Scope

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One line; the same key is written once."""

    key: str
    stage: str
    level: str
    message: str


def lines(old: InstanceStatus, new: InstanceStatus) -> list[Line]:
    """Return what the step from ``old`` to ``new`` has to tell."""
    out = []
    was = old.provider.server_id if old.provider else None
    provider = new.provider
    if provider is not None and new.hostname is not None and old.hostname is None:
        text = (
            f"ordering the server {new.hostname} from {provider.name}: "
            f"{provider.server_type} in {provider.location}"
        )
        out.append(Line(f"ordered:{new.hostname}", "ordered", "info", text))
    if provider is not None and provider.server_id is not None and provider.server_id != was:
        text = f"the server {new.hostname} is there, at {new.ip_address}"
        out.append(Line(f"server:{provider.server_id}", "ordered", "info", text))
    if new.agent_public_key is not None and new.agent_public_key != old.agent_public_key:
        text = "the agent has fetched its key and can prove who it is"
        out.append(Line(f"enrolled:{new.agent_public_key}", "agent_enrolled", "info", text))
    if new.ready_at is not None and old.ready_at is None:
        version = new.runtime.version if new.runtime else None
        text = f"ready: the agent answers and runs {version}"
        out.append(Line("ready", "healthy", "info", text))
    if new.error_code is not None and new.error_message != old.error_message:
        text = f"{new.error_code}: {new.error_message}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        stage = new.provisioning_stage or "ordered"
        out.append(Line(f"problem:{digest}", stage, "error", text))
    return out


async def write(scope: Scope, new: list[Line]) -> None:
    """Append the lines. Where SQL is away they are lost; the status has the same facts.

    The log belongs to the id: one who claims another's id has no say in it.
    """
    if not new or holder_of_id(scope) is not None:
        return
    try:
        for line in new:
            await scope.ctx.history.provision_log.append(
                scope.instance_id,
                stage=line.stage,
                level=line.level,
                message=line.message,
                at=scope.now,
                key=line.key,
            )
    except HistoryUnavailable as error:
        log.warning("provision_log_lost", instance=scope.instance.key, error=str(error))
