"""Ten thousand agents every minute, for two minutes: is the schedule kept, and at what cost?"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any

from bench.health.stand import Stand, running, stand
from bench.machine import usage
from hydracore_agentclient import ControlPlaneKey
from tests.simulation.process import AgentAddress


async def sustained(
    key: ControlPlaneKey,
    agents: Sequence[AgentAddress],
    database: str,
    *,
    interval: float,
    seconds: float,
) -> dict[str, Any]:
    """Run the loop from its start on; return what it achieved and used."""
    ids = [agent.instance_id for agent in agents]
    async with stand(key, agents, database, interval=interval) as made:
        began, cpu = time.perf_counter(), time.process_time()
        async with running(made.loop()) as loop:
            lag = 0.0
            while time.perf_counter() - began < seconds:
                await asyncio.sleep(5)
                lag = max(lag, loop.metrics()["lagSeconds"])
            took, used = time.perf_counter() - began, time.process_time() - cpu
            figures, oldest = loop.metrics(), await _oldest(made, ids)
        return {
            "agents": len(ids),
            "interval_s": interval,
            "seconds": round(took, 1),
            "scheduled": round(len(ids) * took / interval),
            "achieved": figures["polls"],
            "share": round(figures["polls"] * interval / (len(ids) * took), 3),
            "failures": figures["failures"],
            "examinations": figures["examinations"],
            "latency_ms": figures["latencyMs"],
            "most_lag_s": lag,
            "saturated": figures["saturated"],
            "core_used": round(used / took, 3),
            "peak_rss_mb": round(usage(os.getpid()).peak_rss_mb, 1),
            "rows_stored": figures["sql"]["stored"],
            "oldest_answer_in_sql_s": oldest,
            "woken": len(made.woken),
        }


async def _oldest(made: Stand, ids: list[str]) -> float | None:
    """Return the age of the oldest answer; None where an agent has none."""
    rows = await made.ctx.history.health.get_many(ids)
    times = [row.last_poll_at for row in rows.values() if row.last_poll_at is not None]
    if len(times) < len(ids):
        return None
    return round((made.ctx.now() - min(times)).total_seconds(), 1)
