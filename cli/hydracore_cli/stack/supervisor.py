"""The process that is the whole stack: ``python -m hydracore_cli.stack.supervisor DIR OPTIONS``.

It starts everything in order, tells ``up`` about it through the progress file, keeps operator and
API running, and ends everything on SIGTERM. Its children die with it, however it dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hydracore_cli.errors import CliError, is_expected
from hydracore_cli.stack import servers, startup
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.locks import LockHeldError, hold
from hydracore_cli.stack.options import StackOptions
from hydracore_cli.stack.progress import ProgressEvent, ProgressWriter
from hydracore_cli.stack.service import Service

LOCK_SECONDS = 5.0
"""How long to wait for a look at the lock by another command; a supervisor holds it for good."""

_PR_SET_PDEATHSIG = 1


class Supervisor:
    """One run of a stack."""

    def __init__(self, layout: StackLayout, options: StackOptions) -> None:
        """Prepare; nothing is started."""
        self._layout = layout
        self._options = options
        self._progress = ProgressWriter(layout.progress)
        self._run = startup.Run(layout, options, os.environ, self._progress)
        self._stop = asyncio.Event()

    async def main(self) -> int:
        """Start, serve until told to stop or broken, and end everything; return the status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        try:
            if not await self._unless_stopped(self._run.start()):
                return 0
            self._progress.write(ProgressEvent("ready"))
            log("ready")
            await self._unless_stopped(self._serve())
        except Exception as error:  # noqa: BLE001 - `up` waits for the reason, whatever it is
            text = str(error) if is_expected(error) else traceback.format_exc()
            log(text)
            self._progress.write(ProgressEvent("failed", text))
            return 1
        else:
            return 0
        finally:
            await self._end()

    async def _serve(self) -> None:
        """Keep the services running; raise when the cluster breaks."""
        keepers = {asyncio.ensure_future(s.keep_running(log)) for s in self._run.services}
        broken = asyncio.ensure_future(self._run.cluster.failure())
        tasks = {broken, *keepers}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for keeper in keepers:
                if keeper.done():
                    await keeper
            raise CliError(f"the stack ends because its cluster broke: {await broken}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run the work; cut it short when told to stop. Return whether it was finished."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
                return True
            return False
        finally:
            stopped.cancel()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def _end(self) -> None:
        log("stopping")
        self._run.mark("stopping")
        await asyncio.gather(*(end_service(service) for service in self._run.services))
        if self._options.owned:
            await servers.switch_off(self._layout.servers)
        if self._run.cluster_started:
            await self._run.cluster.stop()
        log("stopped")


async def end_service(service: Service) -> None:
    """End one service and say so."""
    await service.stop()
    log(f"{service.name} ended")


def log(text: str) -> None:
    """Write a line to the supervisor's log (its standard output)."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sys.stdout.write(f"{stamp} {text}\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent ends; end at once where it is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == 1:
        sys.exit(1)


def main(argv: list[str]) -> int:
    """Run a supervisor for the state folder; return its exit status."""
    layout = layout_of(Path(argv[0]))
    options = StackOptions.model_validate_json(argv[1])
    if options.owned:
        end_with_parent()
    try:
        with hold(layout.supervisor_lock, LOCK_SECONDS):
            return asyncio.run(Supervisor(layout, options).main())
    except LockHeldError:
        log("another supervisor runs this stack")
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
