"""As fast as one core goes: the loop with all its duties, and a bare loop of the same client.

The bare loop asks the same agents with the same aiohttp session settings, as many at once, and
decodes the JSON. It neither signs nor checks; its requests carry marks made beforehand, so that the
agents have the same work. Another is spared answers that it knows, as the loop is (304). Two more
show what proofs cost: the same loop around the client's polls, and around its signed requests.
Rounds alternate, so that noise of the machine hits all.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from bench.health.stand import running, stand
from hydracore_agentclient import AgentClient, AgentEndpoint, ControlPlaneKey
from hydracore_agentclient.exchange import plain_session
from hydracore_agentclient.pollkeys import SCHEME, VERSION, request_mark
from hydracore_agentclient.proof import load_public_key
from hydracore_operator.clock import SystemClock
from hydracore_operator.health import HealthLoop
from hydracore_operator.health.loop import CONCURRENCY
from tests.simulation.process import AgentAddress

ROUNDS = 8
WARM_SECONDS = 300
TOO_OFTEN_SECONDS = 0.2
"""An interval that nobody can keep with thousands of agents, so that the loop never rests."""
KNOWING = "bare, spared what it knows"
MARKED = "bare, with the proofs of polls"
SIGNED = "bare, with signatures"
Ask = Callable[[int], Awaitable[object]]


@dataclass
class Round:
    """One measurement."""

    polls: int
    wall_s: float
    cpu_s: float

    @property
    def per_second(self) -> float:
        """Polls in a second of time."""
        return self.polls / self.wall_s

    @property
    def per_core_second(self) -> float:
        """Polls in a second of CPU time: what one core does that has nothing else to do."""
        return self.polls / self.cpu_s


class Meter:
    """Wall and CPU time of this process, all threads, since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def round(self, polls: int) -> Round:
        """Return what has passed, with this many polls."""
        return Round(polls, time.perf_counter() - self._wall, time.process_time() - self._cpu)


async def saturation(
    key: ControlPlaneKey, agents: Sequence[AgentAddress], database: str, seconds: float
) -> list[dict[str, Any]]:
    """Measure all contestants in alternation; return a row for each."""
    rounds: dict[str, list[Round]] = {
        name: [] for name in ("bare", "loop", KNOWING, MARKED, SIGNED)
    }
    client = AgentClient(key, subject="operator", now=SystemClock().now)
    endpoints = [AgentEndpoint(a.url, a.instance_id, a.public_key) for a in agents]
    others: dict[str, Ask] = {
        MARKED: lambda number: client.poll(endpoints[number]),
        SIGNED: lambda number: client.status(endpoints[number]),
    }
    async with (
        bare(key, agents) as ask,
        bare(key, agents, knowing=True) as others[KNOWING],
        stand(key, agents, database, interval=TOO_OFTEN_SECONDS) as made,
    ):
        for _ in range(ROUNDS):
            rounds["bare"].append(await _ask_for(seconds, len(agents), ask))
            async with running(made.loop()) as loop:
                await _warm(loop, len(agents))
                before, meter = _answered(loop), Meter()
                await asyncio.sleep(seconds)
                found = meter.round(_answered(loop) - before)
            rounds["loop"].append(found)
            for name, contestant in others.items():
                rounds[name].append(await _ask_for(seconds, len(agents), contestant))
    await client.close()
    return [_row(name, found, rounds["bare"]) for name, found in rounds.items()]


def _answered(loop: HealthLoop) -> int:
    """Return how many polls were answered; one that failed counts for nothing."""
    figures = loop.metrics()
    return int(figures["polls"] - figures["failures"])


async def _warm(loop: HealthLoop, polls: int) -> None:
    """Have every agent asked once: keys agreed on, beliefs formed, rows there."""
    async with asyncio.timeout(WARM_SECONDS):
        while loop.metrics()["polls"] < polls:  # noqa: ASYNC110 - a figure, nothing to wait on
            await asyncio.sleep(0.1)


@asynccontextmanager
async def bare(
    key: ControlPlaneKey, agents: Sequence[AgentAddress], *, knowing: bool = False
) -> AsyncIterator[Ask]:
    """Yield a GET with JSON decoding and nothing else.

    Args:
        key: The control plane's.
        agents: Whom to ask.
        knowing: Name the tag of an agent's last answer, and keep that answer where it still holds.
    """
    asks: list[tuple[str, dict[str, str]]] = []
    kept: dict[int, object] = {}
    for agent in agents:
        keys = key.agree(load_public_key(agent.public_key), agent.instance_id)
        issued, nonce = int(time.time()), "0" * 32
        mark = request_mark(keys.request, agent.instance_id, key.kid, "operator", issued, nonce)
        token = f"{SCHEME} {VERSION}.{key.kid}.operator.{issued}.{nonce}.{mark}"
        asks.append((agent.url + "/api/status", {"Authorization": token, "Connection": "close"}))
    async with plain_session(keep=False) as session:

        async def ask(number: int) -> object:
            url, headers = asks[number]
            async with session.get(url, headers=headers) as answer:
                if answer.status == 304:
                    return kept[number]
                assert answer.status == 200, await answer.text()
                found = orjson.loads(await answer.read())
                if knowing:
                    headers["If-None-Match"], kept[number] = answer.headers["ETag"], found
                return found

        yield ask


async def _ask_for(seconds: float, agents: int, ask: Ask) -> Round:
    order = list(range(agents))
    random.Random(0).shuffle(order)
    numbers, count, ended = itertools.cycle(order), 0, False

    async def worker() -> None:
        nonlocal count
        while not ended:
            await ask(next(numbers))
            count += 1

    meter = Meter()
    workers = [asyncio.create_task(worker()) for _ in range(CONCURRENCY)]
    await asyncio.sleep(seconds)
    found = meter.round(count)
    ended = True
    await asyncio.gather(*workers)
    return found


def _row(name: str, rounds: list[Round], reference: list[Round]) -> dict[str, Any]:
    cpu = [r.per_core_second / b.per_core_second for r, b in zip(rounds, reference, strict=True)]
    wall = [r.per_second / b.per_second for r, b in zip(rounds, reference, strict=True)]
    return {
        "name": name,
        "polls_per_core_s": round(statistics.median(r.per_core_second for r in rounds), 1),
        "ratio": round(statistics.median(cpu), 3),
        "ratio_least": round(min(cpu), 3),
        "polls_per_s": round(statistics.median(r.per_second for r in rounds), 1),
        "ratio_wall": round(statistics.median(wall), 3),
        "core_used": round(statistics.median(r.cpu_s / r.wall_s for r in rounds), 2),
        "us_per_poll": round(statistics.median(1e6 / r.per_core_second for r in rounds), 1),
    }
