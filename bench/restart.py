"""How long an operator takes from its start to its first reconcile, with a fleet in the cluster."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson

from bench.apiserver import Raw
from bench.fleet import API
from bench.machine import usage
from bench.plane import Plane, status_of
from hydracore_cli.stack.service import Service

SECONDS = 120


async def restart(plane: Plane, raw: Raw, operator: Service, namespace: str) -> dict[str, Any]:
    """Stop the operator, start it again, and compare with a raw list and decode.

    Returns:
        ``first_reconcile_s``: from the start of the process; ``raw_list_s``: one GET of all
        Instances and RolloutTargets with their decoding, by a client that runs already.
    """
    await operator.stop()
    lists = [await _raw(raw, namespace) for _ in range(3)]
    began = time.perf_counter()
    operator.start()
    first = await _until(plane, began, "instances", 1)
    every = await _until(plane, began, "instances", lists[0][1])
    pid = operator.pid
    assert pid is not None
    used = usage(pid)
    seconds = sorted(seconds for seconds, _, _ in lists)[1]
    return {
        "instances": lists[0][1],
        "targets": lists[0][2],
        "first_reconcile_s": round(first, 2),
        "all_reconciled_s": round(every, 2),
        "raw_list_s": round(seconds, 3),
        "ratio": round(first / seconds, 1),
        "operator_cpu_s": round(used.cpu_s, 2),
        "operator_peak_rss_mb": round(used.peak_rss_mb, 1),
    }


async def _raw(raw: Raw, namespace: str) -> tuple[float, int, int]:
    began = time.perf_counter()
    counts = []
    for plural in ("instances", "rollouttargets"):
        found = orjson.loads(await raw.get(f"{API}/namespaces/{namespace}/{plural}"))
        counts.append(len(found["items"]))
    return time.perf_counter() - began, counts[0], counts[1]


async def _until(plane: Plane, began: float, queue: str, count: int) -> float:
    """Return the seconds until the operator has reconciled so many keys of a queue."""
    while time.perf_counter() - began < SECONDS:
        found = await status_of(plane)
        if found is not None and found["queues"][queue]["reconciled"] >= count:
            return time.perf_counter() - began
        await asyncio.sleep(0.02)
    raise RuntimeError(f"the operator did not reconcile {count} {queue} within {SECONDS} s")
