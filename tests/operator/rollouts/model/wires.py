"""The clients of one operator: API server and agents, over its line."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from hydracore_agentclient import AgentEndpoint, NoConnection, Order, TaskReport, Timeout
from hydracore_crds import RolloutTarget
from hydracore_kube import Unavailable
from tests.operator.rollouts.fake_agents import FakeAgents
from tests.operator.rollouts.model.line import Line, Loss
from tests.operator.rollouts.model.server import Server

API_ERRORS: dict[Loss, Callable[[], Exception]] = {
    "unsent": partial(Unavailable, "no connection to the API server"),
    "unanswered": partial(Unavailable, "the API server's answer was lost"),
}
AGENT_ERRORS: dict[Loss, Callable[[], Exception]] = {
    "unsent": partial(NoConnection, "no connection"),
    "unanswered": partial(Timeout, "the answer was lost"),
}
READS = frozenset({"get", "list", "get_raw"})
QUESTIONS = frozenset({"status", "task", "await_end"})


class KubeWire:
    """KubeClient's interface; ``starting`` is told of every start that is decided."""

    def __init__(
        self, server: Server, line: Line, starting: Callable[[RolloutTarget], None]
    ) -> None:
        self._server, self._line, self._starting = server, line, starting

    async def update_status(self, obj: Any, status: Any) -> Any:
        begins = status.state == "in_progress" != obj.status.state
        if begins and isinstance(obj, RolloutTarget):
            self._starting(obj)
        return await self._call("update_status", obj, status)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return partial(self._call, name)

    async def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        act = partial(getattr(self._server, name), *args, **kwargs)
        lasting = name not in READS
        return await self._line.call(act, self._line.api, API_ERRORS, lasting=lasting)


class AgentWire:
    """AgentClient's interface; ``sent`` is told of every order when it is decided to send it."""

    def __init__(self, agents: FakeAgents, line: Line, sent: Callable[[Order], None]) -> None:
        self._agents, self._line, self._sent = agents, line, sent

    async def send_order(self, ep: AgentEndpoint, order: Order) -> TaskReport:
        self._sent(order)
        return await self._call("send_order", ep, order)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return partial(self._call, name)

    async def _call(self, name: str, *args: Any) -> Any:
        act = partial(getattr(self._agents, name), *args)
        lasting = name not in QUESTIONS
        return await self._line.call(act, self._line.agents, AGENT_ERRORS, lasting=lasting)


class HistoryWire:
    """History's interface, away or not."""

    def __init__(self, history: Any, line: Line) -> None:
        self._history, self._line = history, line
        self.rollouts = self.executions = self.transitions = self

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            act = partial(getattr(self._history, name), *args, **kwargs)
            return await self._line.call(act, deque(), {}, lasting=True)

        return call
