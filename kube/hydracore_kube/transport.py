"""One HTTP exchange with the API server: authentication, deadline, retries of reads, errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import orjson
from kubernetes.aio.client import ApiClient

from hydracore_crds import Instance, RolloutTarget
from hydracore_kube.connection import auth_headers, load_configuration, open_api_client
from hydracore_kube.errors import Malformed, Unavailable, error_from_status

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
READ_ATTEMPTS = 4
READ_BACKOFF_SECONDS = 0.1
MAX_RETRY_AFTER_SECONDS = 5.0
MANY = frozenset({Instance.KIND.plural, RolloutTarget.KIND.plural})
"""Kinds of which there are thousands."""
FEW_CONNECTIONS = 8
"""Requests at once for all others. Leases, ledgers and rollouts are few and hold up much: they must
not wait behind hundreds of statuses of those."""
TURN_SECONDS = 30.0
"""For how long a request may wait until one of those before it is done."""
MAX_ANSWER_BYTES = 256 * 1024 * 1024
MERGE_PATCH = "application/merge-patch+json"


class Transport:
    """Requests to one API server over a bounded pool of connections.

    Objects of which there are thousands, and all others, take turns apart.

    Writes are sent once. Reads are sent up to four times while the server is unavailable.
    """

    def __init__(
        self,
        api: ApiClient,
        *,
        timeout_seconds: float,
        user_agent: str = "hydracore",
        connections: int = 32,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._user_agent = user_agent
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, connect=min(timeout_seconds, 5.0)
        )
        # aiohttp's own pool lets late comers overtake those who wait, for seconds under load.
        self._turns = asyncio.Semaphore(connections)
        self._few = asyncio.Semaphore(FEW_CONNECTIONS)
        self._sleep = sleep
        self._jitter = jitter
        self.host = str(api.configuration.host).rstrip("/")

    @classmethod
    async def connect(
        cls, kubeconfig: str | None, *, user_agent: str, timeout_seconds: float, connections: int
    ) -> Transport:
        """Read the configuration and load certificates; nothing is sent yet.

        Args:
            kubeconfig: Path of a kubeconfig, or None for the service account of the pod.
            user_agent: What the API server's logs call us.
            timeout_seconds: Deadline of each request but watches.
            connections: Most requests at once for objects of which there are thousands.

        Raises:
            KubeconfigError: The configuration cannot be used.
        """
        configuration = await load_configuration(kubeconfig)
        configuration.connection_pool_maxsize = 0  # no limit: requests take turns, watches do not
        # No proxies or .netrc from the environment; the kubeconfig's proxy-url still holds.
        configuration.client_session_kwargs = {
            "trust_env": False,
            "cookie_jar": aiohttp.DummyCookieJar(),
        }
        api = open_api_client(configuration, kubeconfig)
        return cls(
            api, timeout_seconds=timeout_seconds, user_agent=user_agent, connections=connections
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def json(
        self,
        method: Method,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        """Send a request and return the decoded answer.

        Raises:
            KubeError: As :mod:`hydracore_kube.errors` says.
        """
        attempts = READ_ATTEMPTS if method == "GET" else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._once(method, path, params, body)
            except Unavailable as away:
                if attempt == attempts:
                    raise
                await self._sleep(self._pause(attempt, away.retry_after))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _pause(self, attempt: int, retry_after: float | None) -> float:
        backoff: float = READ_BACKOFF_SECONDS * 2 ** (attempt - 1) * (0.5 + self._jitter())
        asked = min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
        return max(backoff, asked)

    async def _once(
        self, method: Method, path: str, params: dict[str, str] | None, body: Any
    ) -> Any:
        async with (
            self._turn(method, path),
            self.exchange(method, path, params=params, body=body) as response,
        ):
            data = await _read(response, f"{method} {path}")
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as fault:
            raise Malformed(f"{method} {path}: the answer is no JSON ({fault})") from fault

    @asynccontextmanager
    async def _turn(self, method: Method, path: str) -> AsyncIterator[None]:
        turns = self._few if MANY.isdisjoint(path.split("/")) else self._turns
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError as fault:
            what = f"{method} {path}: too many requests are under way, nothing sent"
            raise Unavailable(what) from fault
        try:
            yield
        finally:
            turns.release()

    @asynccontextmanager
    async def exchange(
        self,
        method: Method,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        deadlines: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and yield a successful response, its body unread.

        Faults of the connection inside the block become :class:`Unavailable` too.
        """
        what = f"{method} {path}"
        headers = {
            "Accept": "application/json",
            "User-Agent": self._user_agent,
            **await auth_headers(self._api.configuration),
        }
        data = None
        if body is not None:
            data = orjson.dumps(body)
            headers["Content-Type"] = MERGE_PATCH if method == "PATCH" else "application/json"
        try:
            async with self._session().request(
                method,
                f"{self.host}{path}",
                params=params,
                data=data,
                headers=headers,
                timeout=deadlines or self._timeout,
                allow_redirects=False,
                proxy=self._api.configuration.proxy or None,
                server_hostname=self._api.configuration.tls_server_name or None,
            ) as response:
                await _raise_for(response, what)
                yield response
        except TimeoutError as fault:
            raise Unavailable(f"{what}: the API server did not answer in time") from fault
        except (aiohttp.ClientError, ConnectionError) as fault:
            raise Unavailable(f"{what}: the API server cannot be reached: {fault}") from fault

    def _session(self) -> aiohttp.ClientSession:
        rest = self._api.rest_client
        if rest.pool_manager is None:
            rest.pool_manager = rest._create_pool_manager()  # noqa: SLF001 - as its request() does
        session: aiohttp.ClientSession = rest.pool_manager
        return session


async def _read(response: aiohttp.ClientResponse, what: str) -> bytes:
    declared = response.content_length
    if declared is not None and declared > MAX_ANSWER_BYTES:
        raise Malformed(f"{what}: the answer is larger than {MAX_ANSWER_BYTES} bytes")
    return await response.read()


async def _raise_for(response: aiohttp.ClientResponse, what: str) -> None:
    if response.status < 300:  # noqa: PLR2004
        return
    data = await response.content.read(64 * 1024)
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        body = None
    raise error_from_status(
        response.status, body, what=what, retry_after=_seconds(response.headers.get("Retry-After"))
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
