"""Reboots: the provider restarts the whole server; the agent's return is the proof."""

from __future__ import annotations

from datetime import timedelta

import structlog

from hydracore_agentclient import AgentError, AgentStatus
from hydracore_core.actions.model import Finish
from hydracore_core.actions.status import Facts
from hydracore_crds import conditions
from hydracore_crds.base import format_time
from hydracore_operator.actions.by_agent import endpoint
from hydracore_operator.actions.outcome import NEVER_RAN, Outcome
from hydracore_operator.actions.run import Job, Progress
from hydracore_operator.context import Context
from hydracore_operator.providers import Provider, Providers, Reboot
from hydracore_operator.providers.errors import (
    AuthError,
    ProviderError,
    ServerNotFoundError,
    TooLateError,
)

CLOCKS_APART = timedelta(seconds=2)
"""So much the server's clock may be behind the provider's."""

NEVER_BEGUN = (TooLateError, ServerNotFoundError, AuthError)
"""With these the provider says that it has done nothing."""

log = structlog.get_logger(__name__)


class ProviderCarrier:
    """Has the provider reboot the server, once for each action's id."""

    def __init__(self, ctx: Context, providers: Providers) -> None:
        self._ctx = ctx
        self._providers = providers

    async def send(self, job: Job) -> Outcome | Progress:
        """Ask for the reboot once; see the protocol."""
        server_id = _server_id(job)
        if server_id is None:
            return _failed(conditions.SERVER_LOST, "the Instance has no server")
        try:
            provider = self._provider(job)
            await provider.reboot(server_id, request_id=job.id, not_after=job.deadline)
        except NEVER_BEGUN as error:
            return _failed(error.reason, error.explain())
        except ProviderError as error:
            return _unknown(job, error)
        return Progress(known=True)

    async def ask(self, job: Job) -> Outcome | Progress:
        """See whether the server was started since, and the agent with it; see the protocol."""
        server_id = _server_id(job)
        if server_id is None:
            return Progress()
        try:
            reboot = await self._provider(job).reboot_of(server_id, job.id)
        except ProviderError as error:
            return _unknown(job, error)
        return Progress() if reboot is None else await self._back(job, reboot)

    async def settle(self, job: Job) -> Outcome | Progress:
        """As :meth:`ask`; what the provider has not begun it is kept from; see the protocol."""
        server_id = _server_id(job)
        if server_id is None:
            return Progress()
        try:
            reboot = await self._provider(job).forbid_reboot(server_id, job.id)
        except ProviderError as error:
            return _unknown(job, error)
        if reboot is None:
            return _failed(conditions.NOT_CARRIED_OUT, NEVER_RAN)
        return await self._back(job, reboot)

    async def _back(self, job: Job, reboot: Reboot) -> Outcome | Progress:
        if not reboot.booted:
            return Progress(known=True)
        try:
            status = await self._ctx.agents.status(endpoint(job.instance))
        except AgentError:
            return Progress(known=True)  # it is booting
        return _judge(job, reboot, status)

    def _provider(self, job: Job) -> Provider:
        stored = job.instance.status.provider
        return self._providers.get(stored.name if stored is not None else "")


def _server_id(job: Job) -> str | None:
    stored = job.instance.status.provider
    return stored.server_id if stored is not None else None


def _judge(job: Job, reboot: Reboot, status: AgentStatus) -> Outcome | Progress:
    started = status.started_at
    if started is None or started < reboot.requested_at - CLOCKS_APART:
        return Progress(known=True)
    took = job.now - reboot.requested_at
    detail = {
        "serverId": _server_id(job) or "",
        "requestedAt": format_time(reboot.requested_at),
        "agentStartedAt": format_time(started),
        "agentPid": str(status.pid),
        "backAfterMs": str(max(0, round(took.total_seconds() * 1000))),
    }
    text = "the server was restarted, and its agent is back"
    return Outcome(Finish("succeeded", conditions.COMPLETED, text), Facts(detail=detail))


def _failed(reason: str, message: str) -> Outcome:
    return Outcome(Finish("failed", reason, message), Facts())


def _unknown(job: Job, error: ProviderError) -> Progress:
    log.warning("reboot_unknown", action=job.action.key, error=error.explain())
    return Progress()
