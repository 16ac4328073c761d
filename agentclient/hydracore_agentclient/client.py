"""Requests to agents: signed, bounded in time and size, the answer's origin proved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from uuid import uuid4

import aiohttp

from hydracore_agentclient.answers import (
    own_status,
    read_answer,
    refusal,
    same_action,
    same_conversation,
    same_task,
)
from hydracore_agentclient.endpoint import AgentEndpoint
from hydracore_agentclient.errors import InvalidAnswer, WrongIdentity
from hydracore_agentclient.exchange import ISSUER, Exchange, Subject, Turns, read_bounded, segment
from hydracore_agentclient.keys import ControlPlaneKey
from hydracore_agentclient.models import (
    ActionCommand,
    ActionReport,
    AgentStatus,
    Conversation,
    ConversationList,
    DeepHealth,
    Forgotten,
    Memory,
    MemoryFilter,
    MemoryItem,
    NewMemory,
    Order,
    TaskReport,
)
from hydracore_agentclient.poller import Poller
from hydracore_agentclient.proof import PROOF_HEADER, verify_proof
from hydracore_crds.base import Wire

M = TypeVar("M", bound=Wire)

ORDER_TYP = "hc-order+jwt"
CONNECT_SECONDS = 2.0
TOTAL_SECONDS = 5.0
CHAT_TOTAL_SECONDS = 300.0
CHAT_SILENCE_SECONDS = 60.0
MAX_CHAT_BYTES = 8 * 1024 * 1024
_OK = (200, 202)
_UNAUTHORIZED = 401


class AgentClient:
    """Talks to any number of agents over one bounded pool of connections.

    Every method raises :class:`~hydracore_agentclient.errors.AgentError` within its deadline: two
    seconds to connect, five for the whole answer, before that at most five for its turn. Nothing
    that acts is sent twice; after it every error but a proved ``Refused`` leaves open whether
    the agent acted. Questions that wait (``waits`` at once) and chats have turns of their own.
    """

    def __init__(
        self,
        key: ControlPlaneKey,
        *,
        subject: Subject,
        now: Callable[[], datetime],
        connections: int = 256,
        waits: int = 512,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._key = key
        self._now = now
        self._exchange = Exchange(key, subject=subject, now=now)
        self._poller = Poller(key, now=now, deadlines=(connect_seconds, total_seconds))
        self._turns = Turns(connections, total_seconds)
        self._chats = Turns(connections, total_seconds)
        self._waits = Turns(waits, total_seconds)
        self._seconds = (connect_seconds, total_seconds)
        self._deadlines = _deadlines(connect_seconds, total_seconds)
        self._chat_deadlines = aiohttp.ClientTimeout(
            total=CHAT_TOTAL_SECONDS,
            sock_connect=connect_seconds,
            sock_read=CHAT_SILENCE_SECONDS,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._poller.close()
        await self._exchange.close()

    async def status(self, ep: AgentEndpoint) -> AgentStatus:
        """Ask what the agent runs and how it is.

        Raises:
            WrongIdentity: Also where the body names another instance.
        """
        return own_status(ep, await self._ask(ep, "GET", "/api/status", AgentStatus))

    async def await_end(self, ep: AgentEndpoint, task_id: str, wait_seconds: float) -> AgentStatus:
        """Ask the same as :meth:`status`, to be answered once the agent is done with an order.

        Where as many wait as may, the agent is asked for an answer at once.

        Args:
            ep: Whom to ask.
            task_id: The order.
            wait_seconds: How long the agent may wait for the order's end, at most 20; that long
                and the usual five seconds more is the deadline.

        Returns:
            How things stand. That may be early and no end: an agent that has been told to restart,
            has too many questions waiting or does not know how to wait answers at once.

        Raises:
            WrongIdentity: As :meth:`status`.
        """
        if self._waits.taken:
            return await self.status(ep)
        path = f"/api/status?until={segment(task_id)}&wait={wait_seconds:.3f}"
        return own_status(ep, await self._ask(ep, "GET", path, AgentStatus, wait=wait_seconds))

    async def poll(self, ep: AgentEndpoint) -> AgentStatus:
        """Ask the same as :meth:`status` at a fraction of its cost; for a loop over all agents.

        Request and answer are marked with keys that only this agent and the control plane have,
        instead of signed. An agent that knows no marked polls is asked with a signed request. The
        caller bounds how many polls are under way at once.

        Returns:
            The very object of the poll before where the agent has proved that it would say the
            same again, but for fields that change by themselves (``uptime_seconds``,
            ``active_connections``): these are as of when they were told.

        Raises:
            WrongIdentity: As :meth:`status`.
        """
        if ep.public_key is not None and self._poller.usable(ep):
            polled = await self._poller.ask(ep)
            if polled is not None:
                return polled
            status = await self.status(ep)
            self._poller.without(ep)
            return status
        return await self.status(ep)

    def forget(self, ep: AgentEndpoint) -> None:
        """Drop what polls have kept of an agent that is gone or has moved."""
        self._poller.forget(ep)

    async def deep_health(self, ep: AgentEndpoint) -> DeepHealth:
        """Have the agent examine itself."""
        return await self._ask(ep, "GET", "/api/health/deep", DeepHealth)

    async def conversations(self, ep: AgentEndpoint, limit: int) -> ConversationList:
        """Ask for the newest conversations, at most ``limit`` (1 to 100)."""
        return await self._ask(ep, "GET", f"/api/conversations?limit={limit:d}", ConversationList)

    async def conversation(self, ep: AgentEndpoint, conversation_id: str) -> Conversation:
        """Ask for one conversation.

        Raises:
            Refused: ``unknown_conversation``.
        """
        path = f"/api/conversations/{quote(conversation_id, safe=':')}"
        return same_conversation(await self._ask(ep, "GET", path, Conversation), conversation_id)

    async def memory(self, ep: AgentEndpoint, which: MemoryFilter, limit: int) -> Memory:
        """Ask what the agent remembers, at most ``limit`` items (1 to 200)."""
        query = urlencode({"limit": limit, **which.to_wire()})
        return await self._ask(ep, "GET", f"/api/memory?{query}", Memory)

    async def remember(self, ep: AgentEndpoint, item: NewMemory) -> MemoryItem:
        """Have the agent remember something; the same again is the same item."""
        return await self._ask(ep, "POST", "/api/memory", MemoryItem, item.to_wire())

    async def forget_memory(self, ep: AgentEndpoint, which: MemoryFilter) -> Forgotten:
        """Have the agent forget what fits; an empty filter fits everything."""
        return await self._ask(ep, "DELETE", "/api/memory", Forgotten, which.to_wire())

    async def send_order(self, ep: AgentEndpoint, order: Order) -> TaskReport:
        """Send a signed order; sent again, it is answered with where it stands.

        Raises:
            Refused: ``stale_epoch``, ``busy``, ``expired`` or ``invalid_order``.
            Timeout: The agent may have accepted it: ask with :meth:`task`.
        """
        claims = {
            "iss": ISSUER,
            "aud": ep.instance_id,
            "jti": order.task_id,
            "iat": int(self._now().timestamp()),
            "exp": int(order.not_after.timestamp()),
            "kind": "install",
            **order.model_dump(by_alias=True, exclude={"task_id", "not_after"}),
        }
        body = {"order": self._key.sign(claims, ORDER_TYP)}
        report = await self._ask(ep, "POST", "/api/orders", TaskReport, body)
        return same_task(report, order.task_id)

    async def task(self, ep: AgentEndpoint, task_id: str) -> TaskReport:
        """Ask what became of a task.

        Raises:
            UnknownTask: The agent never saw it.
        """
        report = await self._ask(ep, "GET", f"/api/orders/{segment(task_id)}", TaskReport)
        return same_task(report, task_id)

    async def abort(self, ep: AgentEndpoint, task_id: str, epoch: int) -> TaskReport:
        """Tell the agent to give a task up; the report says what really became of it."""
        path = f"/api/orders/{segment(task_id)}/abort"
        report = await self._ask(ep, "POST", path, TaskReport, {"epoch": epoch})
        return same_task(report, task_id)

    async def run_action(self, ep: AgentEndpoint, command: ActionCommand) -> ActionReport:
        """Have an action carried out; sent again, it is answered with where it stands.

        Raises:
            Refused: ``stale_epoch``, ``busy``, ``expired``, ``unknown_action``: it did not begin.
            Timeout: The agent may have begun it: ask with :meth:`settle_action`.
        """
        body = command.model_dump(by_alias=True, exclude_none=True, exclude={"action", "not_after"})
        body["notAfter"] = int(command.not_after.timestamp())
        path = "/api/updates/apply"
        if command.action != "apply-updates":
            path = f"/api/actions/{command.action}"
        return same_action(await self._ask(ep, "POST", path, ActionReport, body), command.action_id)

    async def action(self, ep: AgentEndpoint, action_id: str) -> ActionReport:
        """Ask how an action goes.

        Raises:
            Refused: ``unknown_action``: the agent has not seen it.
        """
        path = f"/api/actions/{segment(action_id)}"
        return same_action(await self._ask(ep, "GET", path, ActionReport), action_id)

    async def settle_action(self, ep: AgentEndpoint, action_id: str, epoch: int) -> ActionReport:
        """Ask what became of an action; one that has not come yet will not run when it comes."""
        path = f"/api/actions/{segment(action_id)}/settle"
        report = await self._ask(ep, "POST", path, ActionReport, {"epoch": epoch})
        return same_action(report, action_id)

    @asynccontextmanager
    async def chat(
        self, ep: AgentEndpoint, message: str, conversation_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send a chat message and yield the answer's raw server-sent events as they come.

        The stream carries no proof, since its bytes are not known beforehand. It ends with
        :class:`Timeout` after a minute of silence or five minutes in all, and with
        :class:`InvalidAnswer` beyond 8 MiB.
        """
        body: dict[str, Any] = {"message": message}
        if conversation_id is not None:
            body["conversationId"] = conversation_id
        async with (
            self._chats.take(),
            self._exchange.send(
                ep, "POST", "/api/chat", str(uuid4()), body, self._chat_deadlines
            ) as response,
        ):
            if response.status not in _OK:
                raise refusal(response.status, await read_bounded(response))
            if response.content_type != "text/event-stream":
                raise InvalidAnswer("the agent answered the chat with something else than events")
            yield _events(response)

    # ---- inside ----------------------------------------------------------------------------
    async def _ask(
        self,
        ep: AgentEndpoint,
        method: str,
        path: str,
        model: type[M],
        body: dict[str, Any] | None = None,
        *,
        wait: float = 0.0,
    ) -> M:
        nonce, turns, deadlines = str(uuid4()), self._turns, self._deadlines
        if wait:
            turns, deadlines = self._waits, _deadlines(*self._seconds, wait)
        async with (
            turns.take(),
            self._exchange.send(ep, method, path, nonce, body, deadlines) as response,
        ):
            status, data = response.status, await read_bounded(response)
            proof = response.headers.get(PROOF_HEADER)
        if status == _UNAUTHORIZED and proof is None:
            # Not believed as the agent's own word: whoever listens there could say it.
            raise WrongIdentity("whoever answers does not accept the control plane's token (401)")
        if 300 <= status < 400:  # noqa: PLR2004
            raise InvalidAnswer(f"the agent answered with a redirect ({status})")
        if ep.public_key is not None:
            verify_proof(
                proof,
                instance_id=ep.instance_id,
                public_key=ep.public_key,
                nonce=nonce,
                body=data,
            )
        if status not in _OK:
            raise refusal(status, data)
        return read_answer(model, data)


def _deadlines(connect: float, total: float, wait: float = 0.0) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total + wait, connect=total, sock_connect=connect)


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    total = 0
    async for chunk in response.content.iter_any():
        total += len(chunk)
        if total > MAX_CHAT_BYTES:
            response.close()
            raise InvalidAnswer(f"the chat's answer is larger than {MAX_CHAT_BYTES} bytes")
        yield chunk
