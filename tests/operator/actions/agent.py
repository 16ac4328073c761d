"""An agent of the test's: it remembers actions by id as a real one does, and counts what it ran."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hydracore_agentclient import (
    ActionCommand,
    ActionReport,
    AgentEndpoint,
    AgentError,
    AgentStatus,
    DeepHealth,
    Refused,
)


class FakeAgent:
    """Plays the client and the agent behind it.

    Attributes:
        ran: How often each action id was carried out: the oracle.
        commands: Everything that arrived.
        state: What an action that was carried out is said to be.
        on_send: Raised by the next sends, after the action was carried out if ``lost``.
        on_ask: Raised by the next questions.
        lost: Answers of sends are lost: the action is carried out all the same.
    """

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.commands: list[ActionCommand] = []
        self.records: dict[str, ActionReport] = {}
        self.state = "succeeded"
        self.message = "done"
        self.diagnostics: DeepHealth | None = None
        self.on_send: list[AgentError] = []
        self.on_ask: list[AgentError] = []
        self.lost = False
        self.epoch = 0
        self.started_at = datetime(2026, 1, 1, tzinfo=UTC)

    async def run_action(self, _ep: AgentEndpoint, command: ActionCommand) -> ActionReport:
        if self.on_send and not self.lost:
            raise self.on_send.pop(0)
        self._fence(command.epoch)
        known = self.records.get(command.action_id)
        if known is None:
            self.commands.append(command)
            self.ran[command.action_id] += 1
            known = self.records[command.action_id] = self.report(command.action_id, "accepted")
        if self.on_send:
            raise self.on_send.pop(0)
        return known

    async def action(self, _ep: AgentEndpoint, action_id: str) -> ActionReport:
        if self.on_ask:
            raise self.on_ask.pop(0)
        known = self.records.get(action_id)
        if known is None:
            raise Refused("unknown_action", "never seen", status=404)
        return self._settled(known)

    async def settle_action(self, _ep: AgentEndpoint, action_id: str, epoch: int) -> ActionReport:
        if self.on_ask:
            raise self.on_ask.pop(0)
        self._fence(epoch)
        if action_id not in self.records:
            self.records[action_id] = self.report(action_id, "abandoned")
        return self._settled(self.records[action_id])

    async def status(self, ep: AgentEndpoint) -> AgentStatus:
        if self.on_ask:
            raise self.on_ask.pop(0)
        return AgentStatus(
            instance_id=ep.instance_id,
            healthy=True,
            health_status="healthy",
            started_at=self.started_at,
            pid=7,
        )

    def report(self, action_id: str, state: str) -> ActionReport:
        final = state in {"succeeded", "failed", "interrupted", "abandoned"}
        return ActionReport(
            action_id=action_id,
            state=state,  # type: ignore[arg-type]
            final=final,
            message=self.message if final else "",
            detail={"pidBefore": "1"} if final else {},
            diagnostics=self.diagnostics if final else None,
        )

    def _settled(self, known: ActionReport) -> ActionReport:
        if known.state == "accepted":
            known = self.records[known.action_id] = self.report(known.action_id, self.state)
        return known

    def _fence(self, epoch: int) -> None:
        if epoch < self.epoch:
            raise Refused("stale_epoch", "over", status=409)
        self.epoch = epoch
