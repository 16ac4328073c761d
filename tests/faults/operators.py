"""Operator processes: started, killed, frozen and thawed one by one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from hydracore_devcluster.process import ManagedProcess
from tests.faults.waiting import until

LEAD_SECONDS = 40.0
"""For a start on a busy machine and the end of the Lease of one that was killed."""
EXIT_SECONDS = 30.0


class OperatorProcess:
    """One ``hydracore operator``, by what it says on its status address."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path, status_url: str) -> None:
        self.name = name
        self.log = log
        self._status_url = status_url
        argv = [sys.executable, "-m", "hydracore_cli.main", "operator"]
        self._process = ManagedProcess(name, argv, log, env=env)

    def start(self) -> None:
        self._process.start()

    @property
    def alive(self) -> bool:
        return self._process.alive

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        return self._process.exit_status

    def tail(self) -> str:
        return self._process.tail(12)

    async def status(self) -> dict[str, Any] | None:
        """Return what it says about itself; None while it does not answer."""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
                answer = await client.get(f"{self._status_url}/status")
        except httpx.HTTPError:
            return None
        found: dict[str, Any] = answer.json()
        return found

    async def leads(self) -> bool:
        found = await self.status()
        return bool(found and found["leading"])

    async def follows(self) -> bool:
        """Whether it runs, knows the cluster, and does not lead."""
        found = await self.status()
        return bool(found and not found["leading"] and found["objects"].get("bundles"))

    async def wait_leading(self) -> None:
        await until(self._leads_or_died, f"{self.name} to lead", LEAD_SECONDS, state=self.tail)

    async def wait_standby(self) -> None:
        await until(self.follows, f"{self.name} to stand by", LEAD_SECONDS, state=self.tail)

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        await self._process.stop(0)

    async def stop(self) -> None:
        """SIGTERM, so that it gives up its Lease."""
        self.thaw()
        await self._process.stop(EXIT_SECONDS)

    def shoot(self) -> None:
        """SIGKILL without waiting for its end."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def wait_exit(self) -> int:
        await until(lambda: not self.alive, f"{self.name} to exit", EXIT_SECONDS, state=self.tail)
        assert self.exit_status is not None
        return self.exit_status

    async def _leads_or_died(self) -> bool:
        assert self.alive, f"{self.name} ended with {self.exit_status}:\n{self.tail()}"
        return await self.leads()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.pid is not None:
            os.kill(self._process.pid, number)


async def end(operators: list[OperatorProcess]) -> None:
    """Kill all of them."""
    await asyncio.gather(*(operator.kill() for operator in operators))
