"""How near a rollout comes to what the API server and the slots allow.

Runs W, then every case, then W again; writes ``.hydracore/bench/rollout.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from pathlib import Path
from typing import Any

from bench import results
from bench.apiserver import Raw, WriteRate
from bench.fleet import create_class, create_tenant, publish
from bench.machine import facts, usage
from bench.plane import HEALTH_SECONDS, QUICK_HEALTH_SECONDS, Plane, running_plane
from bench.restart import restart
from bench.rollout.case import ROLLOUT_WRITES, Case, Result, idle_slot_time, measure, settled
from hydracore_cli.stack.content import wait_verified
from hydracore_cli.stack.service import Service
from tests.simulation.process import FleetProcess, fleet_process

NAMESPACE = "bench"
TARGETS = 2000
QUICK = 60
"""Targets of a run that shows only that it works."""
AIMS = {"write-bound": 0.8, "push-bound": 0.9}
MOST_WRITES = 3.1
MOST_IDLE = 0.01
MOST_PARALLEL = 200


def cases(n: int) -> list[Case]:
    parallel = limit(n)
    return [Case("write-bound", n, parallel, 0.2), Case("push-bound", n, parallel, 5.0)]


def limit(n: int) -> int:
    """Return how many targets may be in flight: a tenth, up to 200."""
    return max(1, min(MOST_PARALLEL, n // 10))


def main(args: argparse.Namespace) -> None:
    usual, health = (QUICK, QUICK_HEALTH_SECONDS) if args.quick else (TARGETS, HEALTH_SECONDS)
    n = args.targets or usual
    asyncio.run(_main(n, args.case, args.out, again=args.restart, health_seconds=health))


async def _main(
    n: int, only: str | None, out: Path | None, *, again: bool, health_seconds: float
) -> None:
    async with running_plane(health_seconds=health_seconds) as plane, Raw(plane) as raw:
        machine = facts(plane.programs())
        key = plane.key.public_key_base64
        async with fleet_process(key, agents=n, verify=False) as fleet:
            rate = WriteRate(raw, n)
            await rate.prepare()
            await _rates(rate)
            operator = await _prepare(plane, raw, fleet, n)
            rows, beside = [], {}
            for number, case in enumerate(cases(n), start=1):
                if only in (None, case.name):
                    row, more = await _case(
                        plane, raw, fleet, rate, case, f"1.{number}.0", operator
                    )
                    rows.append(row)
                    beside[case.name] = more
            once_more = await restart(plane, raw, operator, NAMESPACE) if again else None
    found = {
        "machine": machine,
        "write_rate": _spread(rate.rates),
        "health_interval_s": health_seconds,
        "cases": rows,
        "beside": beside,
        "restart": once_more,
    }
    _tell(found, results.write("rollout", found, out))


async def _rates(rate: WriteRate) -> float:
    found = [await rate.measure() for _ in range(3)]
    return statistics.median(found)


async def _prepare(plane: Plane, raw: Raw, fleet: FleetProcess, n: int) -> Service:
    agents = await fleet.agents()
    first = await publish(plane, "1.0.0")
    await create_class(plane, first.metadata.name)
    await create_tenant(plane, raw, NAMESPACE, agents, parallel=limit(n), machine=fleet.pid)
    operator = plane.operator()
    operator.start()
    await operator.wait_ready()
    await wait_verified(plane.admin, first.metadata.name)
    await settled(plane, NAMESPACE)
    return operator


async def _case(
    plane: Plane,
    raw: Raw,
    fleet: FleetProcess,
    rate: WriteRate,
    case: Case,
    version: str,
    operator: Service,
) -> tuple[dict[str, Any], dict[str, Any]]:
    bundle = await publish(plane, version)
    await wait_verified(plane.admin, bundle.metadata.name)
    await settled(plane, NAMESPACE)
    pid = operator.pid
    assert pid is not None
    w = await _rates(rate)
    makespan, writes, oracle, cpu = await measure(
        plane, raw, fleet, case, NAMESPACE, bundle.metadata.name, pid
    )
    bound = case.lower_bound(w)
    result = Result(
        **vars(case),
        makespan_s=makespan,
        lower_bound_s=bound,
        ratio=bound / makespan,
        writes_per_target=sum(writes[name] for name in ROLLOUT_WRITES) / case.n,
        operator_cpu_s=cpu,
        operator_peak_rss_mb=usage(pid).peak_rss_mb,
        max_in_flight=int(oracle["mostInFlight"]),
        idle_slot_time=idle_slot_time(oracle, case.max_parallel),
    )
    beside = {
        "write_rate": round(w, 1),
        "all_writes": dict(writes),
        "requests_per_agent": round(oracle["asked"] / case.n, 2),
        "mean_order_s": round(oracle["slotSeconds"] / case.n, 3),
        "starting_s": round(oracle["startingSeconds"], 3),
    }
    return result.row(), beside


def _spread(rates: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(rates), 1),
        "least": round(min(rates), 1),
        "most": round(max(rates), 1),
        "rounds": len(rates),
    }


def _tell(found: dict[str, Any], path: Path) -> None:
    w = found["write_rate"]
    notes = [
        f"W: {w['median']} status patches/s ({w['least']} to {w['most']} in {w['rounds']} rounds)",
        *(f"{name}: {more}" for name, more in found["beside"].items()),
        *(judge(row) for row in found["cases"]),
        f"written to {path}",
    ]
    results.show("Rollouts against their lower bound", found["cases"], notes)
    if found["restart"]:
        results.show("Restart of the operator", [found["restart"]])


def judge(row: dict[str, Any]) -> str:
    """Return what an entry of ``cases`` says about the aims."""
    aim = AIMS[row["name"]]
    ratio = "reaches" if row["ratio"] >= aim else "MISSES"
    few = "reaches" if row["writes_per_target"] <= MOST_WRITES else "MISSES"
    said = (
        f"{row['name']}: ratio {row['ratio']} {ratio} the aim of {aim}; "
        f"{row['writes_per_target']} writes per target {few} the aim of {MOST_WRITES}"
    )
    case = Case(row["name"], row["n"], row["max_parallel"], row["order_s"])
    if not case.bound_by_push(row["lower_bound_s"]):
        return said
    idle = "reaches" if row["idle_slot_time"] <= MOST_IDLE else "MISSES"
    return f"{said}; idle slot time {row['idle_slot_time']} {idle} the aim of {MOST_IDLE}"
