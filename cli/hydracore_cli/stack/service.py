"""Operator and API as children of the supervisor."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from hydracore_cli.errors import CliError
from hydracore_devcluster.process import ManagedProcess

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
STEADY_SECONDS = 60.0
"""A service that ran so long starts again with the first delay."""
STOP_SECONDS = 10.0
READY_SECONDS = 60.0
_POLL_SECONDS = 0.1
_OK = 200


class Service:
    """One of HydraCore's own services: started, watched, and started again when it ends."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path, ready_url: str) -> None:
        """Prepare ``hydracore <name>`` with exactly this environment.

        Args:
            name: The command of this CLI that runs the service.
            env: Its whole environment; secrets are passed here, never as arguments.
            log: Where its output goes.
            ready_url: Answers 200 when the service is ready.
        """
        self.name = name
        self.ready_url = ready_url
        argv = [sys.executable, "-m", "hydracore_cli.main", name]
        self._process = ManagedProcess(name, argv, log, env=env)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.alive

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid

    def start(self) -> None:
        """Start the process; call this from the main thread."""
        self._process.start()

    async def wait_ready(self) -> None:
        """Return when the service answers that it is ready.

        Raises:
            CliError: it ended or did not get ready in time; quotes its last log lines.
        """
        deadline = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            while not await _answers(client, self.ready_url):
                if not self.alive:
                    raise CliError(
                        f"the {self.name} ended with status {self._process.exit_status}. Its last "
                        f"lines ({self._process.log}):\n{self._process.tail()}"
                    )
                if time.monotonic() > deadline:
                    raise CliError(
                        f"the {self.name} was not ready after {READY_SECONDS:.0f} s. Its last "
                        f"lines ({self._process.log}):\n{self._process.tail()}"
                    )
                await asyncio.sleep(_POLL_SECONDS)

    async def keep_running(self, say: Callable[[str], None]) -> None:
        """Start the process again whenever it ends, with backoff; ends only by cancellation."""
        delay = FIRST_DELAY
        while True:
            since = time.monotonic()
            await self._ended()
            if time.monotonic() - since > STEADY_SECONDS:
                delay = FIRST_DELAY
            status = self._process.exit_status
            say(f"{self.name} ended with status {status}; it starts again in {delay:.0f} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            self.start()

    async def _ended(self) -> None:
        while self.alive:  # noqa: ASYNC110 - an exit is seen by looking, not by an event
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """End the process; returns when it is gone."""
        await self._process.stop(STOP_SECONDS)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == _OK
    except httpx.HTTPError:
        return False
