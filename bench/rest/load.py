"""A load generator in a process of its own: the same request again and again over kept connections.

    python -m bench.rest.load < {"url", "path", "headers", "connections", "seconds", "warm",
                                 "core", "pids"}

Prints ``{"rate", "p50_ms", "p99_ms", "cpu_us"}``. It encodes the request once and only looks for
the end of each answer, so that it takes far less time than whoever answers. ``cpu_us`` is what
the processes ``pids`` have used for one answer.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import uvloop

from bench.machine import usage


class Connection(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends again."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self._request, self._times = request, times
        self._buffer = b""
        self._sent_at = 0.0
        self._want = 0
        self.stopped = False
        self.fault: str | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the server hung up, unless the time is over."""
        if not self.stopped:
            self.fault = f"the connection was closed: {exc}"

    def data_received(self, data: bytes) -> None:
        """Note the time of a whole answer and send the next request."""
        self._buffer = data if not self._buffer else self._buffer + data
        if not self._want:
            self._want = self._length()
        whole = (
            self._buffer.endswith(b"\r\n0\r\n\r\n")
            if self._want < 0
            else 0 < self._want <= len(self._buffer)
        )
        if whole:
            self._times.append(time.perf_counter() - self._sent_at)
            self._buffer, self._want = b"", 0
            if not self.stopped:
                self._send()

    def _length(self) -> int:
        """Return the answer's length, its head included; -1 for chunks, 0 if not known yet."""
        head, end, _ = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return 0
        if b" 200 " not in head[:16]:
            self.fault, self.stopped = self._buffer[:300].decode(errors="replace"), True
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return len(head) + 4 + int(value)
        return -1

    def _send(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def close(self) -> None:
        """Hang up."""
        self.stopped = True
        if self._transport is not None:
            self._transport.close()


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """Load for a while and return what was measured after the warm-up."""
    url = urlsplit(job["url"])
    times: list[float] = []
    lines = [f"GET {job['path']} HTTP/1.1", f"Host: {url.netloc}", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in job["headers"].items()]
    request = "\r\n".join([*lines, "", ""]).encode()
    context = None
    if url.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    loop, open_ = asyncio.get_running_loop(), []
    for _ in range(job["connections"]):
        made = Connection(request, times)
        open_.append(made)
        await loop.create_connection(lambda m=made: m, url.hostname, url.port, ssl=context)
    await asyncio.sleep(job["warm"])
    times.clear()
    cpu = sum(usage(pid).cpu_s for pid in job["pids"])
    began = time.perf_counter()
    await asyncio.sleep(job["seconds"])
    took, found = time.perf_counter() - began, sorted(times)
    cpu = sum(usage(pid).cpu_s for pid in job["pids"]) - cpu
    faults = [one.fault for one in open_ if one.fault]
    for one in open_:
        one.close()
    if faults or not found:
        raise SystemExit(f"{job['url']}{job['path']}: {faults[:1] or 'no answer'}")
    return {
        "rate": len(found) / took,
        "p50_ms": found[len(found) // 2] * 1000,
        "p99_ms": found[int(len(found) * 0.99)] * 1000,
        "cpu_us": cpu / len(found) * 1e6 if found else 0.0,
    }


def main() -> None:
    job = orjson.loads(sys.stdin.buffer.read())
    if job["core"] is not None:
        os.sched_setaffinity(0, {job["core"]})
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(run(job))))


if __name__ == "__main__":
    main()
