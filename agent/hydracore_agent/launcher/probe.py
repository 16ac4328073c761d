"""Asks an agent on this machine whether it is well."""

from __future__ import annotations

import socket

from hydracore_agent.settings import Listen

SECONDS = 1.0
GOOD = b"HTTP/1.1 200 "


def is_healthy(listen: Listen) -> bool:
    """Return whether ``GET /healthz`` answers 200 within a second."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
    try:
        with socket.create_connection((host, listen.port), timeout=SECONDS) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n")
            head = b""
            while len(head) < len(GOOD):
                part = connection.recv(64)
                if not part:
                    break
                head += part
    except OSError:
        return False
    return head.startswith(GOOD)
