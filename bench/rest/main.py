"""REST reads against the API server's own and a bare ASGI app with the same bytes.

Every contender answers on the first core, the load comes from the last; rounds alternate between
the contenders and the medians are compared. Writes ``.hydracore/bench/rest.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml

from bench import results
from bench.apiserver import Raw
from bench.fleet import API, create_class, create_tenant, publish
from bench.machine import facts, pin
from bench.plane import Plane, running_plane
from hydracore_api.auth.keys import load_server_secret
from hydracore_cli.stack.access import create_admin_key
from hydracore_cli.stack.database import database_url
from hydracore_devcluster import ports
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.process import ManagedProcess
from hydracore_history import History
from tests.simulation.process import fleet_process

NAMESPACE = "bench-rest"
INSTANCES = 100
CONNECTIONS = 16
OF_BARE = 0.4
OF_APISERVER = 3.0


@dataclass
class Contender:
    """Somebody who answers one of the two questions."""

    question: str
    name: str
    url: str
    path: str
    headers: dict[str, str]
    pids: list[int]
    rounds: list[dict[str, float]] = field(default_factory=list)

    def median(self, key: str) -> float:
        """Return the median over the rounds."""
        return statistics.median(one[key] for one in self.rounds)

    @property
    def noise(self) -> float:
        """The spread of the rates: (most - least) / median."""
        rates = [one["rate"] for one in self.rounds]
        return (max(rates) - min(rates)) / statistics.median(rates)


def main(args: argparse.Namespace) -> None:
    rounds, seconds = (1, 2.0) if args.quick else (5, 2.0)
    asyncio.run(_main(rounds, seconds, args.out))


async def _main(rounds: int, seconds: float, out: Path | None) -> None:
    cores = sorted(os.sched_getaffinity(0))
    server, client = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    async with running_plane() as plane, Raw(plane) as raw:
        machine = facts(plane.programs())
        async with _contenders(plane, raw, server) as found:
            for _ in range(rounds):
                for one in found:
                    one.rounds.append(await _load(one, seconds, client))
    load = {"connections": CONNECTIONS, "rounds": rounds, "seconds": seconds}
    _tell(machine, found, load, out)


@asynccontextmanager
async def _contenders(plane: Plane, raw: Raw, core: int | None) -> AsyncIterator[list[Contender]]:
    async with fleet_process(plane.key.public_key_base64, agents=INSTANCES) as fleet:
        agents = await fleet.agents()
        first = await publish(plane, "1.0.0")
        await create_class(plane, first.metadata.name)
        await create_tenant(plane, raw, NAMESPACE, agents, parallel=10, machine=fleet.pid)
    api = plane.api()
    api.start()
    await api.wait_ready()
    key = {"X-Api-Key": await _api_key(plane)}
    ours = {
        "instance": f"/v1/instances/{agents[0].instance_id}",
        "list of 100": "/v1/instances",
    }
    bare = await _bare(plane, ours, key)
    try:
        for pid in (api.pid, bare.pid, *plane.dev.pids.values()):
            if core is not None and pid is not None:
                pin(pid, core)
        assert api.pid is not None
        yield _all(plane, ours, key, bare, api.pid)
    finally:
        await bare.stop(5)


class _Bare(ManagedProcess):
    """The bare app's process."""

    url: str


async def _bare(plane: Plane, ours: dict[str, str], key: dict[str, str]) -> _Bare:
    """Start the bare app with the bytes that the API answers now."""
    folder = plane.layout.root / "answers"
    folder.mkdir()
    async with httpx.AsyncClient(base_url=plane.addresses.api_url, headers=key) as client:
        for question, path in ours.items():
            answer = await client.get(path)
            answer.raise_for_status()
            (folder / question.replace(" ", "-")).write_bytes(answer.content)
        listed = orjson.loads(answer.content)["instances"]
        assert len(listed) == INSTANCES, f"{len(listed)} instances are listed"
    port = ports.choose(1)[0]
    argv = [sys.executable, "-m", "bench.rest.bare", str(port), str(folder)]
    env = {**os.environ, "PYTHONPATH": str(find_project().root)}
    made = _Bare("bare", argv, plane.layout.logs / "bare.log", env=env)
    made.url = f"http://127.0.0.1:{port}"
    made.start()
    async with httpx.AsyncClient(base_url=made.url) as client:
        for _ in range(200):
            try:
                (await client.get("/instance")).raise_for_status()
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return made
    raise RuntimeError(f"the bare app did not answer:\n{made.tail()}")


def _all(
    plane: Plane, ours: dict[str, str], key: dict[str, str], bare: _Bare, api: int
) -> list[Contender]:
    config = yaml.safe_load(plane.dev.admin_kubeconfig.read_text())
    token = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    root = f"{API}/namespaces/{NAMESPACE}/instances"
    theirs = {"instance": f"{root}/agent-00000", "list of 100": root}
    served = [plane.dev.pids[name] for name in ("kube-apiserver", "etcd")]
    found = []
    for question, path in ours.items():
        file = f"/{question.replace(' ', '-')}"
        found += [
            Contender(question, "HydraCore", plane.addresses.api_url, path, key, [api]),
            Contender(question, "bare app", bare.url, file, key, [bare.pid or 0]),
            Contender(question, "API server", plane.dev.server, theirs[question], token, served),
        ]
    return found


async def _api_key(plane: Plane) -> str:
    history = History(database_url(plane.layout))
    try:
        secret = load_server_secret(plane.layout.server_secret)
        return await create_admin_key(history, secret, NAMESPACE)
    finally:
        await history.close()


async def _load(one: Contender, seconds: float, core: int | None) -> dict[str, float]:
    job = {
        "url": one.url,
        "path": one.path,
        "headers": one.headers,
        "connections": CONNECTIONS,
        "seconds": seconds,
        "warm": seconds / 4,
        "core": core,
        "pids": one.pids,
    }
    pipe = asyncio.subprocess.PIPE
    argv = (sys.executable, "-m", "bench.rest.load")
    process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
    out, _ = await process.communicate(orjson.dumps(job))
    if process.returncode != 0:
        raise RuntimeError(f"{one.name}, {one.question}: the load generator failed")
    found: dict[str, float] = orjson.loads(out)
    return found


def _tell(
    machine: dict[str, Any], found: list[Contender], load: dict[str, Any], out: Path | None
) -> None:
    rows = [
        {
            "question": one.question,
            "who": one.name,
            "per_s": round(one.median("rate")),
            "cpu_us": round(one.median("cpu_us")),
            "p50_ms": round(one.median("p50_ms"), 2),
            "p99_ms": round(one.median("p99_ms"), 2),
            "noise": round(one.noise, 2),
        }
        for one in found
    ]
    rates = {(one.question, one.name): one.median("rate") for one in found}
    costs = {(one.question, one.name): one.median("cpu_us") for one in found}
    ratios = {}
    for question in dict.fromkeys(one.question for one in found):
        ours = rates[question, "HydraCore"]
        ratios[question] = {
            "of_bare_app": round(ours / rates[question, "bare app"], 3),
            "of_apiserver": round(ours / rates[question, "API server"], 2),
            "of_bare_app_by_cpu": round(
                costs[question, "bare app"] / costs[question, "HydraCore"], 3
            ),
            "of_apiserver_by_cpu": round(
                costs[question, "API server"] / costs[question, "HydraCore"], 2
            ),
        }
    result = {"machine": machine, "load": load, "contenders": rows, "ratios": ratios}
    path = results.write("rest", result, out)
    notes = [_judge(question, ratio) for question, ratio in ratios.items()]
    results.show("REST reads, each contender on one core", rows, [*notes, f"written to {path}"])


def _judge(question: str, ratio: dict[str, float]) -> str:
    bare = "reaches" if ratio["of_bare_app"] >= OF_BARE else "MISSES"
    server = "reaches" if ratio["of_apiserver"] >= OF_APISERVER else "MISSES"
    return (
        f"{question}: {ratio['of_bare_app']} of the bare app {bare} the aim of {OF_BARE}; "
        f"{ratio['of_apiserver']} times the API server {server} the aim of {OF_APISERVER} "
        f"(by CPU time: {ratio['of_bare_app_by_cpu']} and {ratio['of_apiserver_by_cpu']})"
    )
