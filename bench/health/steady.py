"""A real operator over a fleet that is well: what does it write?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.apiserver import Raw, requests
from bench.fleet import create_class, create_tenant, publish
from bench.machine import usage
from bench.plane import HEALTH_SECONDS, Plane, running_plane, status_of
from bench.rollout.case import settled
from hydracore_cli.stack.content import wait_verified
from tests.simulation.process import FleetProcess, fleet_process

NAMESPACE = "bench"
LEASES = "leases"
QUIET_SECONDS = 10.0
SETTLE_SECONDS = 300.0


@dataclass(frozen=True)
class Steady:
    """A fleet of Instances that are all well, and an operator that has come to rest."""

    plane: Plane
    raw: Raw
    fleet: FleetProcess
    operator: int
    """The operator's process."""
    instances: int
    interval: float

    async def count(self, seconds: float) -> dict[str, Any]:
        """Let time pass; return what was asked, written and used meanwhile."""
        await self.fleet.reset()
        began, cpu = time.perf_counter(), usage(self.operator).cpu_s
        before = await requests(self.raw)
        await asyncio.sleep(seconds)
        writes, took = await requests(self.raw) - before, time.perf_counter() - began
        used, status = usage(self.operator), await status_of(self.plane)
        return {
            "instances": self.instances,
            "interval_s": self.interval,
            "seconds": round(took, 1),
            "polls": (await self.fleet.oracle())["asked"],
            "polls_scheduled": round(self.instances * took / self.interval),
            "writes_but_leases": sum(n for (kind, _), n in writes.items() if kind != LEASES),
            "lease_writes": sum(n for (kind, _), n in writes.items() if kind == LEASES),
            "writes": {f"{verb} {kind}": n for (kind, verb), n in sorted(writes.items())},
            "operator_core_used": round((used.cpu_s - cpu) / took, 3),
            "operator_peak_rss_mb": round(used.peak_rss_mb, 1),
            "operator_says": status["health"] if status is not None else None,
        }


@asynccontextmanager
async def at_rest(instances: int, interval: float = HEALTH_SECONDS) -> AsyncIterator[Steady]:
    """Start a control plane, create the fleet, and wait until nothing is written any more."""
    async with running_plane(health_seconds=interval) as plane, Raw(plane) as raw:
        key = plane.key.public_key_base64
        async with fleet_process(key, agents=instances, verify=False) as fleet:
            first = await publish(plane, "1.0.0")
            await create_class(plane, first.metadata.name)
            agents = await fleet.agents()
            await create_tenant(plane, raw, NAMESPACE, agents, parallel=2, machine=fleet.pid)
            operator = plane.operator()
            operator.start()
            await operator.wait_ready()
            await wait_verified(plane.admin, first.metadata.name)
            await settled(plane, NAMESPACE)
            await _quiet(raw)
            pid = operator.pid
            assert pid is not None
            yield Steady(plane, raw, fleet, pid, instances, interval)


async def steady(instances: int, seconds: float) -> dict[str, Any]:
    """Count what an operator writes over a fleet that is well."""
    async with at_rest(instances) as found:
        return await found.count(seconds)


async def _quiet(raw: Raw) -> None:
    """Wait until nothing but leases has been written for a while."""
    deadline = time.perf_counter() + SETTLE_SECONDS
    last: Counter[tuple[str, str]] = Counter()
    since = time.perf_counter()
    while time.perf_counter() - since < QUIET_SECONDS:
        found = await requests(raw)
        found = Counter({key: count for key, count in found.items() if key[0] != LEASES})
        if found != last:
            last, since = found, time.perf_counter()
        if time.perf_counter() > deadline:
            raise RuntimeError(f"writes go on after {SETTLE_SECONDS} s: {last}")
        await asyncio.sleep(1)
