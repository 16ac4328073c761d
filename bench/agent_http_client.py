"""aiohttp or httpx for asking agents: the same signed status polls by both, in one run.

One server process answers with proofs that are right, so that each client signs and verifies as
in production. Rounds alternate between the clients, so that noise of the machine hits both.

    python bench/agent_http_client.py [--requests 600] [--concurrency 64] [--rounds 2]

Prints a table: polls per second, CPU milliseconds of the client per poll, 99th percentile of the
time of one poll; over kept connections and with a new connection for each poll.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import AgentClient, AgentEndpoint, AgentStatus, ControlPlaneKey
from hydracore_agentclient.exchange import (
    ISSUER,
    MAX_ANSWER_BYTES,
    REQUEST_TYP,
    TOKEN_SECONDS,
)
from hydracore_agentclient.proof import PROOF_HEADER, verify_proof

INSTANCE = "00000000-0000-4000-8000-000000000001"
AGENT_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"bench agent").digest())
AGENT_PUBLIC = base64.b64encode(AGENT_KEY.public_key().public_bytes_raw()).decode()
BODY = orjson.dumps(
    {
        "instanceId": INSTANCE,
        "slug": "expressclaw",
        "version": "1.1.0",
        "bundleHash": "ab" * 32,
        "healthy": True,
        "healthStatus": "healthy",
        "startedAt": "2030-01-01T00:00:00Z",
        "uptimeSeconds": 12.5,
        "pid": 4242,
        "capabilities": {"chat": True, "orders": True},
        "components": [{"component": "runtime", "slug": "expressclaw", "version": "1.1.0"}],
    }
)
Poll = Callable[[], Awaitable[object]]


# ---- the server, a process of its own -----------------------------------------------------------
class Agent(asyncio.Protocol):
    """Answers every request with the same status and a right proof."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer and self._transport is not None:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self._transport.write(_answer(head, keep=self._keep))
            if not self._keep:
                self._transport.close()
                return


def _answer(head: bytes, *, keep: bool) -> bytes:
    token = next(
        line.split(b" ", 2)[2]
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"authorization:")
    )
    payload = token.split(b".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    proof = jwt.encode(
        {
            "iss": INSTANCE,
            "nonce": claims["jti"],
            "sha256": hashlib.sha256(BODY).hexdigest(),
            "iat": int(time.time()),
        },
        AGENT_KEY,
        algorithm="EdDSA",
        headers={"typ": "hc-proof+jwt"},
    )
    connection = "keep-alive" if keep else "close"
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
        f"Connection: {connection}\r\n{PROOF_HEADER}: {proof}\r\n\r\n"
    ).encode() + BODY


async def serve() -> None:
    loop = asyncio.get_running_loop()
    ports = []
    for keep in (True, False):
        server = await loop.create_server(partial(Agent, keep=keep), "127.0.0.1", 0)
        ports.append(str(server.sockets[0].getsockname()[1]))
    print(*ports, flush=True)
    await asyncio.Event().wait()


# ---- the clients --------------------------------------------------------------------------------
def httpx_poll(client: httpx.AsyncClient, key: ControlPlaneKey, url: str) -> Poll:
    """The same request as AgentClient.status makes, with the same checks."""

    async def poll() -> AgentStatus:
        nonce, issued = str(uuid4()), int(time.time())
        claims = {"iss": ISSUER, "aud": INSTANCE, "sub": "operator", "iat": issued}
        token = key.sign({**claims, "exp": issued + TOKEN_SECONDS, "jti": nonce}, REQUEST_TYP)
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
        async with client.stream("GET", url + "/api/status", headers=headers) as response:
            data = bytearray()
            async for chunk in response.aiter_raw():
                data += chunk
                assert len(data) <= MAX_ANSWER_BYTES
            verify_proof(
                response.headers.get(PROOF_HEADER),
                instance_id=INSTANCE,
                public_key=AGENT_PUBLIC,
                nonce=nonce,
                body=bytes(data),
            )
        return AgentStatus.model_validate(orjson.loads(bytes(data)))

    return poll


def aiohttp_poll(client: AgentClient, url: str) -> Poll:
    endpoint = AgentEndpoint(url, INSTANCE, AGENT_PUBLIC)
    return lambda: client.status(endpoint)


@dataclass
class Figures:
    """What was measured for one client in one mode."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def best(self) -> tuple[float, float, float]:
        """Return the best rate, CPU and 99th percentile of all rounds."""
        return max(self.rates), min(self.cpu_ms), min(self.p99_ms)


async def measure(poll: Poll, requests: int, concurrency: int, figures: Figures) -> None:
    left, times = requests, []

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            started = time.perf_counter()
            await poll()
            times.append(time.perf_counter() - started)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    figures.rates.append(requests / (time.perf_counter() - wall))
    figures.cpu_ms.append((time.process_time() - cpu) / requests * 1000)
    figures.p99_ms.append(sorted(times)[int(len(times) * 0.99)] * 1000)


async def compare(urls: dict[str, str], requests: int, concurrency: int, rounds: int) -> None:
    key = ControlPlaneKey(Ed25519PrivateKey.generate())
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    table: dict[tuple[str, str], Figures] = {}
    own = AgentClient(key, subject="operator", now=lambda: datetime.now(UTC))
    async with httpx.AsyncClient(
        limits=limits,
        timeout=httpx.Timeout(5.0, connect=2.0),
        follow_redirects=False,
        trust_env=False,
    ) as other:
        for mode, url in urls.items():
            polls = {"aiohttp": aiohttp_poll(own, url), "httpx": httpx_poll(other, key, url)}
            for poll in polls.values():
                await measure(poll, 100, concurrency, Figures())
            for _ in range(rounds):
                for name, poll in polls.items():
                    figures = table.setdefault((mode, name), Figures())
                    await measure(poll, requests, concurrency, figures)
        await own.close()
    report(table, urls, key)


def report(
    table: dict[tuple[str, str], Figures], urls: dict[str, str], key: ControlPlaneKey
) -> None:
    print(f"{'connections':<12} {'client':<8} {'polls/s':>8} {'CPU ms':>8} {'p99 ms':>8}")
    for (mode, name), figures in table.items():
        rate, cpu, p99 = figures.best()
        print(f"{mode:<12} {name:<8} {rate:>8.0f} {cpu:>8.3f} {p99:>8.1f}")
    for mode in urls:
        ours, theirs = (table[mode, name].best() for name in ("aiohttp", "httpx"))
        rate, cpu = ours[0] / theirs[0], theirs[1] / ours[1]
        print(f"{mode}: aiohttp makes {rate:.2f} times the polls with 1/{cpu:.2f} of the CPU")
    started = time.perf_counter()
    for _ in range(1000):
        key.sign({"iss": ISSUER, "jti": str(uuid4())}, REQUEST_TYP)
    print(f"signing one token takes {(time.perf_counter() - started):.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=600, help="polls in a round")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(serve())
        return
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        kept, fresh = server.stdout.readline().split()
        urls = {"kept": f"http://127.0.0.1:{kept}", "new": f"http://127.0.0.1:{fresh}"}
        asyncio.run(compare(urls, args.requests, args.concurrency, args.rounds))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
