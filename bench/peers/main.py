"""The same rollout by HydraCore and by others, in turns, in one run.

Each case is gone through by one contender after the other; before each of them W is measured, and
the median over a case's rounds is the W of all its bounds. Writes ``.hydracore/bench/peers.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import results
from bench.apiserver import Raw, WriteRate
from bench.fleet import create_class, create_tenant, publish
from bench.machine import facts, usage
from bench.peers import leading
from bench.peers.arena import NAMESPACE, START_SECONDS, TENANT, TRIAL_SECONDS, Arena, Trial
from bench.peers.contenders import CONTENDERS, Contender, Tools, provide
from bench.peers.processes import Contestant
from bench.peers.report import OURS, Row, row, verdicts
from bench.plane import HEALTH_SECONDS, QUICK_HEALTH_SECONDS, Plane, running_plane
from bench.rollout.case import Case, settled
from bench.rollout.main import TARGETS, cases
from hydracore_cli.stack.content import wait_verified
from hydracore_cli.stack.service import Service
from hydracore_crds import Bundle, UpdatePolicy
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.progress import Progress
from tests.simulation.process import fleet_process

QUICK = 20
SHOWN = (
    *("name", "makespan_s", "lower_bound_s", "ratio", "writes_per_target", "cpu_ms_per_target"),
    *("broker_cpu_ms_per_target", "peak_rss_mb", "broker_peak_rss_mb", "max_in_flight"),
    *("idle_slot_time", "exactly_once", "stored"),
)


def main(args: argparse.Namespace) -> None:
    everybody = [OURS, *CONTENDERS]
    chosen = args.peer or everybody
    if unknown := set(chosen) - set(everybody):
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(everybody)}")
    usual, health = (QUICK, QUICK_HEALTH_SECONDS) if args.quick else (TARGETS, HEALTH_SECONDS)
    n = args.targets or usual
    asyncio.run(_main(n, args.case, chosen, args.out, health_seconds=health))


@dataclass
class _Run:
    """One run of all contenders."""

    arena: Arena
    tools: Tools
    rate: WriteRate
    folder: Path
    first: Bundle
    operator: Service
    rows: list[Row] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)
    published: int = 0

    async def case(self, case: Case, chosen: list[str]) -> None:
        """Let everybody who was chosen do one case."""
        trials, rates = [], []
        for name in chosen:
            rates.append(await self.rate.measure())
            self.published += 1
            bundle = await publish(self.arena.plane, f"1.{self.published}.0")
            trial = self._ours if name == OURS else self._theirs
            trials.append(await trial(name, case, bundle))
            print(f"{case.name}: {name} took {trials[-1].makespan_s:.1f} s", flush=True)
        w = statistics.median(rates)
        self.rows += [row(trial, w) for trial in trials]
        self.beside[case.name] = {
            "write_rate": round(w, 1),
            "write_rates": [round(rate, 1) for rate in rates],
            "all_writes": {trial.contender: dict(trial.writes) for trial in trials},
            "requests_per_agent": {
                trial.contender: round(trial.oracle["asked"] / case.n, 2) for trial in trials
            },
            "mean_order_s": {
                trial.contender: round(trial.oracle["slotSeconds"] / case.n, 3) for trial in trials
            },
            "starting_s": {
                trial.contender: round(trial.oracle["startingSeconds"], 3) for trial in trials
            },
        }

    async def _ours(self, name: str, case: Case, bundle: Bundle) -> Trial:
        plane = self.arena.plane
        policy = {"spec": {"maxParallelRollouts": case.max_parallel}}
        await plane.admin.patch(UpdatePolicy, "default", TENANT, policy)
        self.operator.start()
        try:
            await self.operator.wait_ready()
            await wait_verified(plane.admin, self.first.metadata.name)
            await wait_verified(plane.admin, bundle.metadata.name)
            await settled(plane, TENANT)
            pid = self.operator.pid
            assert pid is not None
            return await self.arena.trial(
                name,
                case,
                lambda: {"workers": usage(pid)},
                lambda: self.arena.rollout(case.name, TENANT, bundle.metadata.name),
                TENANT,
            )
        finally:
            await self.operator.stop()

    async def _theirs(self, name: str, case: Case, bundle: Bundle) -> Trial:
        contender = CONTENDERS[name]
        folder = self.folder / f"{case.name}-{name}"
        folder.mkdir()
        path = folder / "job.json"
        job = await self.arena.job(case, bundle, path)
        programs = contender.programs(self.tools, job, path, folder)
        running = Contestant(programs, folder)
        try:
            await running.start(START_SECONDS)
            return await self.arena.trial(
                name,
                case,
                running.usage,
                lambda: self._roll_out(contender, running, case, bundle),
                NAMESPACE if contender.writes else None,
            )
        except BaseException:
            print(running.tails(), file=sys.stderr)
            raise
        finally:
            await running.stop()
            await self.arena.clear()

    async def _roll_out(
        self, contender: Contender, running: Contestant, case: Case, bundle: Bundle
    ) -> None:
        """Tell a contender to go, and return when it is done; RuntimeError if it dies before."""
        if not contender.writes:
            running.say(leading.GO)
            await running.hear(leading.DONE, TRIAL_SECONDS)
            return
        name = bundle.metadata.name
        rollout = self.arena.rollout(case.name, NAMESPACE, name, lambda: running.say(leading.GO))
        await running.outlive(rollout)


async def _main(
    n: int, only: str | None, chosen: list[str], out: Path | None, *, health_seconds: float
) -> None:
    tools = provide(find_project(), Progress(sys.stderr))
    async with running_plane(health_seconds=health_seconds) as plane, Raw(plane) as raw:
        machine = facts({**plane.programs(), "redis-server": tools.redis})
        key = plane.key.public_key_base64
        async with fleet_process(key, agents=n, verify=False) as fleet:
            run = await _prepare(plane, Arena(plane, raw, fleet), tools, n)
            for case in cases(n):
                if only in (None, case.name):
                    await run.case(case, chosen)
    found = {
        "machine": {**machine, "peers": _versions(tools)},
        "health_interval_s": health_seconds,
        "rows": [one.entry() for one in run.rows],
        "beside": run.beside,
        "verdicts": verdicts(run.rows),
    }
    _tell(found, results.write("peers", found, out))


async def _prepare(plane: Plane, arena: Arena, tools: Tools, n: int) -> _Run:
    rate = WriteRate(arena.raw, n)
    await rate.prepare()
    await rate.measure()
    first = await publish(plane, "1.0.0")
    await create_class(plane, first.metadata.name)
    agents, machine = await arena.fleet.agents(), arena.fleet.pid
    await create_tenant(plane, arena.raw, TENANT, agents, parallel=1, machine=machine)
    await arena.prepare()
    folder = plane.layout.root / "peers"
    folder.mkdir()
    return _Run(arena, tools, rate, folder, first, plane.operator())


def _versions(tools: Tools) -> dict[str, str]:
    go_mod = (tools.project.root / "bench/peers/controller_runtime/go.mod").read_text()
    runtime = next(line for line in go_mod.splitlines() if "/controller-runtime v" in line)
    lock = (tools.project.root / "bench/requirements.lock").read_text().splitlines()
    pinned = dict(line.split(" ")[0].split("==") for line in lock if "==" in line[:40])
    return {
        "controller-runtime": runtime.split()[-1],
        "celery": pinned["celery"],
        "kopf": version("kopf"),
        "kubernetes": version("kubernetes"),
    }


def _tell(found: dict[str, Any], path: Path) -> None:
    for case, beside in found["beside"].items():
        rows = [{key: one[key] for key in SHOWN} for one in found["rows"] if one["case"] == case]
        size = next(one for one in found["rows"] if one["case"] == case)
        title = f"{case}: {size['n']} targets, {size['max_parallel']} at once, {size['order_s']} s"
        notes = [f"W: {beside['write_rate']} status patches/s, of {beside['write_rates']}"]
        results.show(title, rows, notes)
    print(*found["verdicts"], f"written to {path}", sep="\n")
