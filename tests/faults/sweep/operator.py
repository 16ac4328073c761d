"""The real operator as a process that dies at its n-th outgoing call.

``python -m tests.faults.sweep.operator --journal FILE [--kill N --moment before|after]`` with the
operator's own settings in HYDRACORE_* variables. :func:`main` is the same for a forked process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from hydracore_operator.app import run
from hydracore_operator.clock import SystemClock
from hydracore_operator.rollouts import TenantReconciler, Timing
from hydracore_operator.settings import OperatorSettings
from hydracore_operator.wiring import default_factories
from tests.faults.sweep import seams
from tests.faults.sweep.trap import MOMENTS, Kill, Trap

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
        kill: Where it dies, if anywhere.
        namespaces: Whose calls count; see :func:`seams.install`.
        ahead: How far its wall clock is ahead of the machine's.
    """

    env: Mapping[str, str]
    log: Path
    journal: Path
    kill: Kill | None = None
    namespaces: frozenset[str] | None = None
    ahead: timedelta = field(default_factory=timedelta)


class AheadClock(SystemClock):
    """The machine's clocks, with the wall time moved."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


def main(orders: Orders) -> None:
    """Run until killed, or stopped by SIGTERM. Ends the process."""
    output = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(orders.env)
    seams.install(Trap(orders.journal, orders.kill), orders.namespaces)
    factories = replace(
        default_factories(), tenants=lambda ctx: TenantReconciler(ctx, timing=TIMING)
    )
    clock = AheadClock(orders.ahead)
    sys.exit(asyncio.run(run(OperatorSettings(), factories=factories, clock=clock)))


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
