"""AgentClient's interface on top of the simulated agents' rules, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hydracore_agentclient import (
    AgentEndpoint,
    AgentStatus,
    InvalidAnswer,
    NoConnection,
    Order,
    Refused,
    TaskReport,
    UnknownTask,
    Unreachable,
    WrongIdentity,
)
from tests.simulation.agent import CutError, RefusedError, SimAgent


class FakeAgents:
    """AgentClient's interface over simulated agents, without a network.

    Attributes:
        calls: ``(method, instance id)`` in order.
    """

    def __init__(self) -> None:
        self.agents: dict[str, SimAgent] = {}
        self.calls: list[tuple[str, str]] = []
        self.orders: list[Order] = []

    def add(self, agent: SimAgent) -> SimAgent:
        self.agents[agent.instance_id] = agent
        return agent

    async def status(self, ep: AgentEndpoint) -> AgentStatus:
        agent = await self._reach("status", ep)
        return AgentStatus.model_validate(agent.status())

    async def await_end(self, ep: AgentEndpoint, task_id: str, wait_seconds: float) -> AgentStatus:
        agent = await self._reach("await_end", ep)
        try:
            await agent.until(task_id, wait_seconds)
        except CutError:
            raise Unreachable("the connection broke") from None
        self._check(agent)
        return AgentStatus.model_validate(agent.status())

    async def task(self, ep: AgentEndpoint, task_id: str) -> TaskReport:
        agent = await self._reach("task", ep)
        return self._report(agent, lambda: agent.task(task_id))

    async def abort(self, ep: AgentEndpoint, task_id: str, epoch: int) -> TaskReport:
        agent = await self._reach("abort", ep)
        return self._report(agent, lambda: agent.take_abort(task_id, epoch))

    async def send_order(self, ep: AgentEndpoint, order: Order) -> TaskReport:
        agent = await self._reach("send_order", ep)
        self.orders.append(order)
        claims = {
            "jti": order.task_id,
            "epoch": order.epoch,
            "exp": order.not_after.timestamp(),
            "sha256": order.sha256,
            "version": order.version,
        }
        report = self._report(agent, lambda: agent.take_order(claims)[1])
        if agent.faults.lose_replies > 0:
            agent.faults.lose_replies -= 1
            raise Unreachable("the answer was lost")
        return report

    def count(self, method: str) -> int:
        return sum(1 for name, _ in self.calls if name == method)

    async def _reach(self, method: str, ep: AgentEndpoint) -> SimAgent:
        await asyncio.sleep(0)
        self.calls.append((method, ep.instance_id))
        agent = self.agents.get(ep.instance_id)
        if agent is None or agent.away:
            raise NoConnection("no connection")
        self._check(agent)
        return agent

    def _check(self, agent: SimAgent) -> None:
        if agent.faults.silent:
            raise Unreachable("no connection")
        if agent.faults.wrong_identity:
            raise WrongIdentity("not proved")
        if agent.faults.garbage:
            raise InvalidAnswer("no JSON")

    def _report(self, agent: SimAgent, act: Callable[[], Any]) -> TaskReport:
        try:
            return TaskReport.model_validate(agent.report(act()))
        except RefusedError as refusal:
            kind = UnknownTask if refusal.code == "unknown_task" else Refused
            raise kind(refusal.code, refusal.message, status=refusal.status) from refusal
