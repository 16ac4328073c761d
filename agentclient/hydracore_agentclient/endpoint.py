"""Where an agent is and how it proves who it is."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from hydracore_agentclient.errors import Unreachable


@dataclass(frozen=True, slots=True)
class AgentEndpoint:
    """One agent.

    Attributes:
        url: ``http(s)://<IP literal>:<port>``; names are not looked up.
        instance_id: Whom requests are for.
        public_key: Its Ed25519 key (raw, base64); None before enrolment, then answers are taken
            without proof.
    """

    url: str
    instance_id: str
    public_key: str | None = None

    def base(self) -> str:
        """Return scheme, address and port.

        Raises:
            Unreachable: The URL is not one of an IP literal, or carries more than an address.
        """
        return _base(self.url)


@lru_cache(maxsize=16384)
def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        ipaddress.ip_address(host)
    except ValueError as fault:
        raise Unreachable(f"agent URL {url[:200]!r}: the host must be an IP address") from fault
    where = f"[{host}]" if ":" in host else host
    where += f":{port}" if port is not None else ""
    extra = parts.path.strip("/") or parts.query or parts.fragment or "%" in host
    if parts.scheme not in ("http", "https") or extra or where != parts.netloc.lower():
        raise Unreachable(f"agent URL {url[:200]!r}: want http(s)://address:port, no more")
    return f"{parts.scheme}://{where}"
