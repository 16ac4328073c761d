"""One HTTP exchange with an agent: who takes which turn, what is sent, what faults mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, Literal

import aiohttp
import orjson

from hydracore_agentclient.endpoint import AgentEndpoint
from hydracore_agentclient.errors import InvalidAnswer, NoConnection, Timeout, Unreachable
from hydracore_agentclient.keys import ControlPlaneKey

Subject = Literal["operator", "api"]

ISSUER = "hydracore"
REQUEST_TYP = "hc-control+jwt"
TOKEN_SECONDS = 60
MAX_ANSWER_BYTES = 1024 * 1024


class Turns:
    """First come, first served: so many at once, and a bounded wait.

    aiohttp's own pool lets late comers overtake those who wait, for seconds under load.
    """

    def __init__(self, at_once: int, wait_seconds: float) -> None:
        self._semaphore = asyncio.Semaphore(at_once)
        self._wait_seconds = wait_seconds

    @property
    def taken(self) -> bool:
        """Whether all are taken, so that the next one would have to wait."""
        return self._semaphore.locked()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            Timeout: It did not come in time; nothing was sent.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._semaphore.acquire()
        except TimeoutError as fault:
            raise Timeout("too many requests to agents are under way: nothing was sent") from fault
        try:
            yield
        finally:
            self._semaphore.release()


class Exchange:
    """Sends signed requests over one session: no redirects, no proxies, no cookies."""

    def __init__(
        self, key: ControlPlaneKey, *, subject: Subject, now: Callable[[], datetime]
    ) -> None:
        self._key = key
        self._subject = subject
        self._now = now
        self._opened: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    @asynccontextmanager
    async def send(
        self,
        ep: AgentEndpoint,
        method: str,
        path: str,
        nonce: str,
        body: dict[str, Any] | None,
        deadlines: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request and yield its answer, the body unread.

        Args:
            ep: Whom to ask.
            method: HTTP method.
            path: Below the endpoint's root.
            nonce: Identifies the request (``jti``); the answer's proof must repeat it.
            body: Sent as JSON, if any.
            deadlines: Of this request.
        """
        url = ep.base() + path
        headers = {
            "Authorization": f"Bearer {self._token(ep.instance_id, nonce)}",
            "Accept-Encoding": "identity",
        }
        data = None
        if body is not None:
            data = orjson.dumps(body)
            headers["Content-Type"] = "application/json"
        with translated(ep):
            async with self._session().request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=deadlines,
                allow_redirects=False,
            ) as response:
                yield response

    def _token(self, audience: str, nonce: str) -> str:
        issued = int(self._now().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": self._subject,
            "iat": issued,
            "exp": issued + TOKEN_SECONDS,
            "jti": nonce,
        }
        return self._key.sign(claims, REQUEST_TYP)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = plain_session(keep=True)
        return self._opened


@contextmanager
def translated(ep: AgentEndpoint) -> Iterator[None]:
    """Turn what aiohttp raises into the errors of this package; the one place where that is done.

    Raises:
        NoConnection: There was no connection, so that nothing was sent.
        Unreachable: The connection broke.
        Timeout: No complete answer in time.
        InvalidAnswer: What came is no HTTP.
    """
    try:
        yield
    except aiohttp.ConnectionTimeoutError as fault:
        raise NoConnection(f"{ep.url}: no connection in time") from fault
    except TimeoutError as fault:
        raise Timeout(f"{ep.url}: no complete answer in time") from fault
    except aiohttp.ClientConnectorError as fault:
        raise NoConnection(f"{ep.url}: {fault.strerror or 'no connection'}") from fault
    except aiohttp.ClientOSError as fault:
        raise Unreachable(f"{ep.url}: {fault.strerror or 'the connection broke'}") from fault
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as fault:
        raise Unreachable(f"{ep.url}: the connection broke before the answer's end") from fault
    except aiohttp.ClientError as fault:
        raise InvalidAnswer(f"{ep.url}: no HTTP answer ({type(fault).__name__})") from fault


def plain_session(*, keep: bool) -> aiohttp.ClientSession:
    """Open a session that sends what it is told to: no proxies, no cookies, nothing unpacked.

    Args:
        keep: Whether connections are kept for the next request.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False, force_close=not keep),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"User-Agent": "hydracore"},
    )


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer's body.

    Raises:
        InvalidAnswer: It is larger than 1 MiB; no more of it is read.
    """
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            response.close()
            raise InvalidAnswer(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    return bytes(data)


def segment(id_: str) -> str:
    """Return an id as one segment of a path.

    Raises:
        ValueError: It has other characters than letters, digits and hyphens.
    """
    if not id_.replace("-", "").isalnum():
        raise ValueError(f"{id_!r} is no id")
    return id_
