"""Marked polls of ``GET /api/status``: what a loop over ten thousand agents can afford."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from yarl import URL

from hydracore_agentclient.answers import own_status, read_answer
from hydracore_agentclient.endpoint import AgentEndpoint
from hydracore_agentclient.errors import InvalidAnswer, WrongIdentity
from hydracore_agentclient.exchange import (
    MAX_ANSWER_BYTES,
    plain_session,
    read_bounded,
    translated,
)
from hydracore_agentclient.keys import ControlPlaneKey
from hydracore_agentclient.models import AgentStatus
from hydracore_agentclient.pollkeys import SCHEME, VERSION, PollKeys, answer_mark, request_mark
from hydracore_agentclient.proof import PROOF_HEADER, load_public_key

SUBJECT = "operator"
WITHOUT_SECONDS = 600.0
"""So long an agent that refused a marked poll is asked with signed requests, then tried again."""
MAX_KNOWN = 100_000
"""Agents whose keys are kept; beyond it all are agreed on anew."""
_ETAG = re.compile(r'W/"([0-9a-f]{32})"')
_OK = 200
_NOT_MODIFIED = 304
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class _Told:
    """What an agent has proved to say, and the tag by which it knows that it said so.

    Attributes:
        tag: 32 hexadecimal digits.
        etag: The same as a header's value.
        status: What it said.
    """

    tag: str
    etag: str
    status: AgentStatus


@dataclass(slots=True)
class _Known:
    """What is kept of one agent from poll to poll."""

    url: URL
    keys: PollKeys | None
    without_until: float = 0.0
    told: _Told | None = None


class Poller:
    """Sends marked polls, a connection each: agents close idle ones long before the next poll."""

    def __init__(
        self,
        key: ControlPlaneKey,
        *,
        now: Callable[[], datetime],
        deadlines: tuple[float, float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            key: The control plane's key.
            now: The wall time, aware UTC.
            deadlines: Seconds to connect, and for the whole answer.
            monotonic: Seconds for durations.
        """
        self._key = key
        self._now = now
        self._monotonic = monotonic
        self._deadlines = aiohttp.ClientTimeout(total=deadlines[1], sock_connect=deadlines[0])
        self._known: dict[AgentEndpoint, _Known] = {}
        self._opened: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    def usable(self, ep: AgentEndpoint) -> bool:
        """Whether this agent can be asked by marked polls, as far as is known.

        Raises:
            Unreachable: Its URL is none that may be used.
            WrongIdentity: Its stored key is none.
        """
        known = self._about(ep)
        return known.keys is not None and known.without_until <= self._monotonic()

    def without(self, ep: AgentEndpoint) -> None:
        """Do without marked polls of this agent for a while."""
        self._about(ep).without_until = self._monotonic() + WITHOUT_SECONDS

    def forget(self, ep: AgentEndpoint) -> None:
        """Drop what is kept of an agent that is gone or has moved."""
        self._known.pop(ep, None)

    async def ask(self, ep: AgentEndpoint) -> AgentStatus | None:
        """Return the proved answer, or None where whoever answers does not take the poll (401).

        An agent that has nothing new to say answers with a proved 304; then the object that it
        was before is returned.

        Raises:
            AgentError: As :meth:`AgentClient.status`.
        """
        known = self._about(ep)
        if known.keys is None:
            return None
        told, nonce = known.told, secrets.token_hex(16)
        with translated(ep):
            async with self._session().get(
                known.url,
                headers=self._headers(known.keys, ep.instance_id, nonce, told),
                timeout=self._deadlines,
                allow_redirects=False,
            ) as response:
                data = await _body(response)
        status, tag = response.status, _tag(response.headers.get("ETag", ""), told)
        if status == _UNAUTHORIZED and PROOF_HEADER not in response.headers:
            return None
        due = answer_mark(known.keys.answer, ep.instance_id, nonce, status, tag, data)
        proof = response.headers.get(PROOF_HEADER, "")
        if not hmac.compare_digest(proof.encode(), f"{VERSION}.{due}".encode()):
            raise WrongIdentity("the answer's proof is missing or does not hold for this request")
        if status == _NOT_MODIFIED and told is not None and tag == told.tag:
            return told.status
        if status != _OK:
            raise InvalidAnswer(f"the agent answered the poll with HTTP status {status}")
        found = own_status(ep, read_answer(AgentStatus, data))
        known.told = _Told(tag, f'W/"{tag}"', found) if tag else None
        return found

    def _headers(
        self, keys: PollKeys, instance_id: str, nonce: str, told: _Told | None = None
    ) -> dict[str, str]:
        kid, issued = self._key.kid, int(self._now().timestamp())
        mark = request_mark(keys.request, instance_id, kid, SUBJECT, issued, nonce)
        headers = {
            "Authorization": f"{SCHEME} {VERSION}.{kid}.{SUBJECT}.{issued}.{nonce}.{mark}",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if told is not None:
            headers["If-None-Match"] = told.etag
        return headers

    def _about(self, ep: AgentEndpoint) -> _Known:
        known = self._known.get(ep)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            url = URL(ep.base() + "/api/status")
            known = self._known[ep] = _Known(url, self._agree(ep))
        return known

    def _agree(self, ep: AgentEndpoint) -> PollKeys | None:
        try:
            return self._key.agree(load_public_key(ep.public_key or ""), ep.instance_id)
        except ValueError:
            return None

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = plain_session(keep=False)
        return self._opened


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if response.status == _NOT_MODIFIED:
        return b""  # it has none (RFC 9110, 15.4.5)
    length = response.content_length
    if length is not None and length <= MAX_ANSWER_BYTES:
        return await response.read()  # the parser takes no more than it was announced
    return await read_bounded(response)


def _tag(etag: str, told: _Told | None) -> str:
    """Return what stands in an ETag if that is of the form that agents use; else nothing."""
    if told is not None and etag == told.etag:
        return told.tag
    found = _ETAG.fullmatch(etag)
    return found[1] if found is not None else ""
