"""The caller's address; forwarding headers count only from trusted proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import HTTPConnection

from hydracore_api.settings import Network

MAX_HOPS = 16


def client_ip(connection: HTTPConnection, trusted: Sequence[Network]) -> str:
    """Return the address of the caller.

    ``X-Forwarded-For`` is read from the right, as long as the one who appended is trusted.
    """
    address = connection.client.host if connection.client else ""
    header = ",".join(connection.headers.getlist("x-forwarded-for"))
    hops = [part.strip() for part in header.split(",") if part.strip()][-MAX_HOPS:]
    while hops and _within(address, trusted):
        claimed = hops.pop()
        if _parse(claimed) is None:
            break
        address = claimed
    return address if _parse(address) is not None else ""


def _within(address: str, networks: Sequence[Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
