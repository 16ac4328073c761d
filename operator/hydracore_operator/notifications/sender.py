"""One attempt to deliver: a POST that trusts neither the address nor who answers there.

Every address is looked at when its socket is made, so what a name resolves to cannot change in
between. No redirects, proxies or cookies; of an answer nothing but its status is read.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

import aiohttp

from hydracore_operator.notifications.addresses import is_public
from hydracore_operator.notifications.resolver import Resolver

DEADLINE_SECONDS = 15.0
"""For the whole attempt; the specification advises 15 to 30 seconds."""
_OK = range(200, 300)
_REDIRECTS = range(300, 400)
_GONE = 410
_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "its host name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS could not be agreed on"),
    (aiohttp.ClientConnectorError, "there is no connection"),
    (aiohttp.ClientResponseError, "its answer is no HTTP"),
    (ValueError, "its url cannot be used"),
)
"""The first kind that fits counts."""
_BROKE = "the connection broke before an answer"


class NotDelivered(Exception):  # noqa: N818 - everyday life, not a fault of ours
    """It was not delivered, as far as we know; the message is of our own words.

    Attributes:
        final: The receiver asked never to be sent it again.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class _NotPublicError(OSError):
    """The name leads to an address that is not of the public Internet."""


class WebhookSender:
    """Delivers by HTTPS POST."""

    def __init__(
        self,
        *,
        allow_http: bool = False,
        allow_private: bool = False,
        deadline_seconds: float = DEADLINE_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            allow_http: Also to addresses without TLS.
            allow_private: Also to addresses that are not public.
            deadline_seconds: Of an attempt, from looking up the name to the answer's status.
            tls: Which certificates are trusted; the system's by default.
        """
        self._allow_http = allow_http
        self._allow_private = allow_private
        self._timeout = aiohttp.ClientTimeout(total=deadline_seconds)
        self._seconds = deadline_seconds
        self._tls = tls or ssl.create_default_context()
        self._resolver = Resolver()

    def close(self) -> None:
        """Deliver nothing any more."""
        self._resolver.stop()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """POST a body once.

        Raises:
            NotDelivered: There was no 2xx in time.
        """
        if not url.startswith("https://") and not self._allow_http:
            raise NotDelivered("its url is not https, which this platform does not allow")
        try:
            status = await self._post(url, headers, body)
        except TimeoutError as fault:
            raise NotDelivered(f"no answer within {self._seconds:g} s") from fault
        except (aiohttp.ClientError, ValueError, OSError) as fault:
            raise NotDelivered(_explain(fault)) from fault
        if status in _OK:
            return
        if status in _REDIRECTS:
            raise NotDelivered(f"it answered {status}, a redirect, which is not followed")
        raise NotDelivered(f"it answered {status}", final=status == _GONE)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        connector = aiohttp.TCPConnector(
            use_dns_cache=False,
            resolver=self._resolver,
            force_close=True,
            ssl=self._tls,
            socket_factory=self._socket,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=self._timeout,
            headers={"User-Agent": "hydracore", "Content-Type": "application/json"},
        )
        async with session:
            response = await session.post(url, data=body, headers=headers, allow_redirects=False)
            # Whatever it says: the status is all that counts, and the rest may have no end.
            response.close()
            return response.status

    def _socket(self, found: aiohttp.AddrInfoType) -> socket.socket:
        family, type_, protocol, _, address = found
        if not self._allow_private and not is_public(str(address[0])):
            raise _NotPublicError("not a public address")
        made = socket.socket(family=family, type=type_, proto=protocol)
        made.settimeout(0)
        return made


def _explain(fault: Exception) -> str:
    """Return what went wrong in our own words: nothing that the other side said is repeated."""
    if isinstance(getattr(fault, "os_error", None), _NotPublicError):
        return "its address is not a public one"
    return next((text for kind, text in _FAULTS if isinstance(fault, kind)), _BROKE)
