"""The real operator as a process that dies at its n-th outgoing call.

``python -m tests.faults.sweep.operator --journal FILE [--kill N --moment before|after]`` with the
operator's own settings in HYDRACORE_* variables. :func:`main` is the same for a forked process.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partialmethod
from multiprocessing import connection
from pathlib import Path

from hydracore_operator.app import run
from hydracore_operator.clock import SystemClock
from hydracore_operator.providers.local import LocalProvider
from hydracore_operator.rollouts import TenantReconciler, Timing
from hydracore_operator.settings import OperatorSettings
from hydracore_operator.wiring import default_factories
from tests.faults.sweep import provider_ledger, seams
from tests.faults.sweep.trap import MOMENTS, Kill, Trap, die

TIMING = Timing(
    poll_first=0.1, poll_max=0.4, evidence_poll=0.4, trouble_grace=1.0, fence_after=0.4, retry=0.3
)
"""Shorter waits than in production; the order of calls is the same."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a forked operator is told.

    Attributes:
        env: Its whole environment.
        log: Where its output goes.
        journal: Where its calls are noted.
        provider_ledger: Where its provider's steps are noted, if anywhere.
        kill: Where it dies, if anywhere.
        namespaces: Whose calls count; see :func:`seams.install`.
        machine_command: What local servers run instead of the agent's launcher, if anything.
        clock: File with the seconds that its wall clock is ahead, if it may be turned.
    """

    env: Mapping[str, str]
    log: Path
    journal: Path
    provider_ledger: Path | None = None
    kill: Kill | None = None
    namespaces: frozenset[str] | None = None
    machine_command: tuple[str, ...] | None = None
    clock: Path | None = None


class TurnedClock(SystemClock):
    """The machine's clocks, with the wall time moved by whoever writes the file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=float(self._file.read_text()))


def main(orders: Orders) -> None:
    """Run until killed, or stopped by SIGTERM. Ends the process."""
    output = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(orders.env)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if orders.provider_ledger is not None:
        provider_ledger.keep(orders.provider_ledger)
    seams.install(Trap(orders.journal, orders.kill), orders.namespaces)
    factories = replace(
        default_factories(), tenants=lambda ctx: TenantReconciler(ctx, timing=TIMING)
    )
    if orders.machine_command is not None:
        _run_instead(orders.machine_command)
    clock = TurnedClock(orders.clock) if orders.clock is not None else None
    sys.exit(asyncio.run(run(OperatorSettings(), factories=factories, clock=clock)))


def _end_with_parent() -> None:
    """Die when the test's process does, however it ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        die()


def _run_instead(command: tuple[str, ...]) -> None:
    """Have the machines of this process's provider run something else than the launcher."""
    LocalProvider.__init__ = partialmethod(  # type: ignore[method-assign,assignment]
        LocalProvider.__init__, command=command
    )


def _parse(arguments: list[str]) -> Orders:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--log", type=Path, default=Path("/dev/stderr"))
    parser.add_argument("--kill", type=int)
    parser.add_argument("--moment", choices=MOMENTS, default="before")
    parser.add_argument("--namespace", action="append")
    found = parser.parse_args(arguments)
    return Orders(
        env=dict(os.environ),
        log=found.log,
        journal=found.journal,
        kill=Kill(found.kill, found.moment) if found.kill else None,
        namespaces=frozenset(found.namespace) if found.namespace else None,
    )


if __name__ == "__main__":
    main(_parse(sys.argv[1:]))
