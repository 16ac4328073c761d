"""Starts ``python -m tests.simulation`` and speaks to its control address."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from hydracore_devcluster.layout import find_project

START_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class AgentAddress:
    """One agent of the fleet."""

    instance_id: str
    public_key: str
    url: str


class FleetProcess:
    """A fleet that runs."""

    def __init__(self, pid: int, client: httpx.AsyncClient) -> None:
        self.pid = pid
        self._client = client

    async def agents(self) -> list[AgentAddress]:
        found = await self._ask("GET", "/agents")
        return [AgentAddress(one["id"], one["publicKey"], one["url"]) for one in found]

    async def oracle(self) -> dict[str, Any]:
        """Return what the agents did; see :func:`tests.simulation.control.summary`."""
        found: dict[str, Any] = await self._ask("GET", "/oracle")
        return found

    async def reset(self, order_seconds: float | None = None) -> dict[str, Any]:
        """Forget what was counted and return it; from now on orders take so long."""
        found: dict[str, Any] = await self._ask("POST", "/reset", {"orderSeconds": order_seconds})
        return found

    async def faults(self, ids: Sequence[str] | None = None, **faults: Any) -> None:
        """Switch faults of these agents (of all without ids)."""
        wanted: dict[str, Any] = {"faults": faults}
        if ids is not None:
            wanted["ids"] = list(ids)
        await self._ask("POST", "/faults", wanted)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else orjson.dumps(body)
        answer = await self._client.request(method, path, content=data)
        answer.raise_for_status()
        return orjson.loads(answer.content)


@asynccontextmanager
async def fleet_process(
    public_key: str, *, agents: int, order_seconds: float = 0.2, verify: bool = True
) -> AsyncIterator[FleetProcess]:
    """Run a simulated fleet as a process of its own; it ends with this block or this process.

    Args:
        public_key: The control plane's, raw, base64 (``ControlPlaneKey.public_key_base64``).
        agents: How many.
        order_seconds: How long an order takes.
        verify: Whether agents check the signatures of tokens and orders.
    """
    argv = ["--public-key", public_key, "--agents", str(agents), "--until-eof"]
    argv += ["--order-seconds", str(order_seconds), *([] if verify else ["--no-verify"])]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.simulation",
        *argv,
        cwd=find_project().root,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError("the simulated fleet ended before it answered; see its output")
        told = orjson.loads(line)
        base = httpx.AsyncClient(base_url=told["control"], trust_env=False, timeout=30)
        async with base as client:
            yield FleetProcess(told["pid"], client)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
