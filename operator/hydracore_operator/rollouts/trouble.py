"""Says in a target's condition why its outcome is unknown: once for each cause, not per poll."""

from __future__ import annotations

from hydracore_agentclient import AgentError, InvalidAnswer, Refused, WrongIdentity
from hydracore_crds import RolloutTarget, conditions
from hydracore_operator.rollouts import status
from hydracore_operator.rollouts.orders import NotAddressableError
from hydracore_operator.rollouts.outcome import plain
from hydracore_operator.rollouts.tenant import Tenant

MAX_WRITES = 8
"""Writes of this kind for one order; an agent that flaps does not cost more."""


class Trouble:
    """What stands in the way of one order's outcome."""

    def __init__(self, tenant: Tenant, task_id: str) -> None:
        """Take what it is about."""
        self._tenant = tenant
        self._task_id = task_id
        self._since: float | None = None
        self._told: str | None = None
        self._writes = 0

    async def note(self, target: RolloutTarget, error: AgentError | NotAddressableError) -> None:
        """Take in that the agent could not be asked, refuses, or cannot be believed.

        Silence is told only after a grace: an agent that restarts is silent for a moment.
        """
        hostile = isinstance(error, (WrongIdentity, InvalidAnswer))
        if self._lasts() or hostile:
            kind, text = type(error).__name__, plain(str(error))
            answered = isinstance(error, Refused)
            reason = conditions.UNPROVEN if answered else conditions.RESOLVING
            await self.tell(target, reason, text, kind=kind)

    async def doubt(self, target: RolloutTarget, why: str) -> None:
        """Take in that the agent answers, but that its answer settles nothing."""
        if self._lasts():
            await self.tell(target, conditions.UNPROVEN, why)

    async def over(self, target: RolloutTarget) -> None:
        """Take in that the agent answers and works on the order."""
        self._since = None
        if self._told is not None:
            await self.tell(target, conditions.RUNNING, "the agent works on the order")
            self._told = None

    async def tell(
        self, target: RolloutTarget, reason: str, message: str, *, kind: str | None = None
    ) -> None:
        """Write reason and message, unless this kind of thing was told last."""
        kind = kind or message
        if kind == self._told or self._writes >= MAX_WRITES:
            return
        now = self._tenant.ctx.now()
        await self._tenant.write_target(
            target, lambda fresh: status.noted(fresh, self._task_id, reason, message, now)
        )
        self._told = kind
        self._writes += 1

    def _lasts(self) -> bool:
        """Whether the trouble has lasted longer than a restart takes."""
        now = self._tenant.ctx.clock.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= self._tenant.timing.trouble_grace
