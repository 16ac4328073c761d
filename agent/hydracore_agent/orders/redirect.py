"""Where the control plane may send us for a bundle's bytes: its object store, safely."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from hydracore_agent.orders.outcome import Rejected

MAX_URL = 4096


def signed_url(asked: str, location: str) -> str:
    """Return the ``Location`` of a redirect if it may be followed.

    The other side must be behind TLS, so that it is who the control plane named, and nothing that
    merely answers on an address of this server's network (a metadata service, say). On one machine
    only, where the control plane itself is reached by loopback, http on loopback will do.

    Args:
        asked: The URL that answered with the redirect.
        location: What it said. It is a secret: no message repeats more than its host.

    Raises:
        Rejected: it may not be followed.
    """
    host = urlsplit(asked).netloc.rpartition("@")[2]
    try:
        parts = urlsplit(location)
        port = parts.port
    except ValueError:
        raise Rejected(f"{host} redirects to something that is no URL") from None
    printable = location.isascii() and location.isprintable() and " " not in location
    if not parts.hostname or port == 0 or not printable or len(location) > MAX_URL:
        raise Rejected(f"{host} redirects to something that is no URL")
    if "@" in parts.netloc or parts.fragment:
        raise Rejected(f"{host} redirects to a URL with a user or a fragment: not followed")
    local = parts.scheme == "http" and _is_loopback(parts) and _is_loopback(urlsplit(asked))
    if parts.scheme != "https" and not local:
        raise Rejected(
            f"{host} redirects to {parts.hostname} without TLS, which is not followed: the object "
            "store's endpoint must be https"
        )
    return location


def _is_loopback(parts: SplitResult) -> bool:
    """Return whether it is an address of this machine; a name is not, whatever it resolves to."""
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
