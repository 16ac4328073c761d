"""Where a webhook may lead: a tenant must not reach through the operator what it cannot reach."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public Internet.

    Loopback, link-local, private, shared, multicast and reserved ones are not, nor is an IPv6
    address that stands for such an IPv4 address (mapped, 6to4, Teredo, NAT64). Text that is no
    address is not public.
    """
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(found)
    return all(one.is_global and not one.is_multicast for one in (found, inner) if one is not None)


def _inner(found: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address to which an IPv6 address leads in the end."""
    if isinstance(found, IPv4Address):
        return None
    if found in _NAT64:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    if found.teredo is not None:
        return found.teredo[1]
    return found.ipv4_mapped or found.sixtofour
