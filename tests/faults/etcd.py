"""What tests do to etcd itself."""

from __future__ import annotations

import ssl

import aiohttp

from tests.faults.plane import Plane

_SECONDS = 30.0


async def compact(plane: Plane) -> None:
    """Make etcd forget everything but the present, as it does by itself every few minutes."""
    pki, port = plane.dev._pki, plane.dev._ports.etcd
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.load_cert_chain(pki.certificate, pki.key)
    connector = aiohttp.TCPConnector(ssl=context)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(
        f"https://127.0.0.1:{port}", connector=connector, timeout=timeout
    ) as client:
        found = await _post(client, "/v3/kv/range", {"key": "AA==", "limit": "1"})
        revision = found["header"]["revision"]
        await _post(client, "/v3/kv/compaction", {"revision": revision, "physical": True})


async def _post(
    client: aiohttp.ClientSession, path: str, body: object
) -> dict[str, dict[str, str]]:
    async with client.post(path, json=body) as answer:
        answer.raise_for_status()
        found: dict[str, dict[str, str]] = await answer.json(content_type=None)
        return found
