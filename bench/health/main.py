"""What the health loop costs and keeps up with, and that a fleet that is well writes nothing.

Writes ``.hydracore/bench/health.json``: ``saturation`` (against a bare loop of the same client),
``sustained`` (10,000 agents every 60 s), ``steady`` (a real operator on a real API server).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from typing import Any

import structlog
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import results
from bench.health.saturation import saturation
from bench.health.stand import apart
from bench.health.steady import steady
from bench.health.sustained import sustained
from bench.machine import facts
from hydracore_agentclient import ControlPlaneKey
from tests.simulation.process import fleet_process

AIM = 0.8
AGENTS = 10_000
INTERVAL_SECONDS = 60.0
INSTANCES = 2000
"""Of the real operator."""


def main(args: argparse.Namespace) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found: dict[str, Any] = {"machine": facts({})}
    found |= uvloop.run(_pinned(quick=args.quick))
    _tell_pinned(found["saturation"], found["sustained"])
    instances, seconds = (100, 30.0) if args.quick else (args.targets or INSTANCES, 120.0)
    found["steady"] = asyncio.run(steady(instances, seconds))
    _tell_steady(found["steady"])
    print(f"written to {results.write('health', found, args.out)}")


async def _pinned(*, quick: bool) -> dict[str, Any]:
    key = ControlPlaneKey(Ed25519PrivateKey.generate())
    count = 300 if quick else AGENTS
    interval, seconds = (2.0, 10.0) if quick else (INTERVAL_SECONDS, 2 * INTERVAL_SECONDS)
    async with fleet_process(key.public_key_base64, agents=count, verify=False) as fleet:
        with apart(fleet), tempfile.TemporaryDirectory() as folder:
            agents = await fleet.agents()
            database = f"sqlite+aiosqlite:///{folder}"
            rows = await saturation(key, agents, f"{database}/a.db", 2.0 if quick else 5.0)
            kept = await sustained(
                key, agents, f"{database}/b.db", interval=interval, seconds=seconds
            )
    return {"saturation": rows, "sustained": kept}


def _tell_pinned(rows: list[dict[str, Any]], kept: dict[str, Any]) -> None:
    ratio = next(row["ratio"] for row in rows if row["name"] == "loop")
    reached = "reaches" if ratio >= AIM else "MISSES"
    results.show(
        "Polls on one core", rows, [f"loop: {reached} {AIM} of the bare loop with {ratio}"]
    )
    results.show(f"{kept['agents']} agents every {kept['interval_s']:g} s", [kept])


def _tell_steady(whole: dict[str, Any]) -> None:
    silent = whole["writes_but_leases"] == 0
    results.show(
        "A real operator in steady state",
        [{key: value for key, value in whole.items() if not isinstance(value, dict)}],
        [
            f"writes: {whole['writes']}",
            "nothing was written but leases" if silent else "WRITES in steady state",
        ],
    )
