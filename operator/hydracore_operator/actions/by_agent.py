"""Actions that the agent carries out."""

from __future__ import annotations

import structlog

from hydracore_agentclient import (
    ActionCommand,
    ActionReport,
    AgentEndpoint,
    AgentError,
    AgentProfile,
    NoConnection,
    Refused,
)
from hydracore_core.actions.model import Finish
from hydracore_core.actions.status import Facts
from hydracore_crds import Instance, conditions
from hydracore_operator.actions.outcome import Outcome, of_report
from hydracore_operator.actions.run import Job, Progress
from hydracore_operator.context import Context
from hydracore_operator.instances.user_data import profile

NOT_BEGUN = frozenset(
    {"busy", "expired", "unknown_action", "not_found", "invalid_request", "storage_unavailable"}
)
"""Codes with which the agent says that it has not begun. ``stale_epoch`` is none of them: then
another operator leads, and what becomes of the action is its business."""

log = structlog.get_logger(__name__)


class AgentCarrier:
    """Sends actions to the agent, which remembers them by id."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def send(self, job: Job) -> Outcome | Progress:
        """Send it once; see the protocol."""
        try:
            report = await self._ctx.agents.run_action(endpoint(job.instance), command(job))
        except Refused as refusal:
            if refusal.code in NOT_BEGUN:
                return _failed(conditions.REFUSED, f"{refusal.code}: {refusal.message}")
            return _unknown(job, refusal)
        except NoConnection as error:
            return _failed(conditions.UNREACHABLE, f"nothing was sent: {error.message}")
        except AgentError as error:
            return _unknown(job, error)
        return _told(report)

    async def ask(self, job: Job) -> Outcome | Progress:
        """Read its record; see the protocol."""
        try:
            return _told(await self._ctx.agents.action(endpoint(job.instance), job.id))
        except AgentError as error:
            return _unknown(job, error)

    async def settle(self, job: Job) -> Outcome | Progress:
        """Read its record, or have the agent remember that it must not run; see the protocol."""
        try:
            report = await self._ctx.agents.settle_action(endpoint(job.instance), job.id, job.epoch)
        except AgentError as error:
            return _unknown(job, error)
        return _told(report)


def endpoint(instance: Instance) -> AgentEndpoint:
    """Return where the agent is. The decision to start has seen that address and key are known."""
    status = instance.status
    return AgentEndpoint(
        status.agent_url or "",
        instance.spec.id or instance.metadata.uid,
        status.agent_public_key or "",
    )


def command(job: Job) -> ActionCommand:
    """Return what the agent is told."""
    spec = job.action.spec
    base = ActionCommand(
        action=spec.action, action_id=job.id, epoch=job.epoch, not_after=job.deadline
    )
    if spec.action != "apply-updates":
        return base
    name = job.instance.spec.agent_name or job.instance.metadata.name
    told = AgentProfile.model_validate({**profile(job.instance), "agentName": name})
    wishes = spec.parameters
    return base.model_copy(
        update={
            "config": told,
            "force": wishes is not None and wishes.force,
            "restart_agent": wishes is not None and wishes.restart_agent,
        }
    )


def _told(report: ActionReport) -> Outcome | Progress:
    return of_report(report) or Progress(known=True)


def _failed(reason: str, message: str) -> Outcome:
    return Outcome(Finish("failed", reason, message), Facts())


def _unknown(job: Job, error: AgentError) -> Progress:
    log.info(
        "action_unknown",
        action=job.action.key,
        error=type(error).__name__,
        message=error.message,
    )
    return Progress(known=False)
