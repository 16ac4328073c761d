"""Forwarding headers count only from trusted proxies."""

from __future__ import annotations

import ipaddress

import pytest
from starlette.requests import Request

from hydracore_api.auth.client_ip import client_ip

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def address(peer: str, forwarded: list[str], trusted: tuple[object, ...] = PROXIES) -> str:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    request = Request({"type": "http", "client": (peer, 1), "headers": headers})
    return client_ip(request, trusted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("unix", ["1.2.3.4"], ""),
    ],
)
def test_the_nearest_untrusted_address_counts(
    peer: str, forwarded: list[str], expected: str
) -> None:
    assert address(peer, forwarded) == expected


def test_without_trusted_proxies_the_header_is_ignored() -> None:
    assert address("10.0.0.1", ["1.2.3.4"], ()) == "10.0.0.1"
