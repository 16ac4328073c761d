"""HTTP clients: no proxies and nothing else from the environment, no redirects, deadlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
WRITE_SECONDS = 10.0


def connect(url: str, stall_seconds: float) -> httpx.AsyncClient:
    """Return a client for a URL; a read without a byte for ``stall_seconds`` fails."""
    import httpx  # noqa: PLC0415 - a tenth of a second that the start-up need not wait for

    # Without TLS there is nothing to verify, and loading certificates takes time and memory.
    verify = url.startswith("https://")
    timeout = httpx.Timeout(
        CONNECT_SECONDS, read=stall_seconds, write=WRITE_SECONDS, pool=CONNECT_SECONDS
    )
    return httpx.AsyncClient(
        timeout=timeout, trust_env=False, follow_redirects=False, verify=verify
    )
