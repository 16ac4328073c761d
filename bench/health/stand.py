"""The health loop in this process: a store of Instances, SQL in a file, simulated agents."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench import machine
from hydracore_agentclient import AgentClient, ControlPlaneKey
from hydracore_artifacts.signing import TrustedKeys
from hydracore_crds import Instance, conditions
from hydracore_history import History
from hydracore_kube import memory
from hydracore_operator.clock import SystemClock
from hydracore_operator.context import Context, Stores
from hydracore_operator.health import HealthLoop
from hydracore_operator.settings import OperatorSettings
from tests.simulation.process import AgentAddress, FleetProcess


@dataclass(frozen=True)
class Stand:
    """The loop's surroundings.

    Attributes:
        woken: Keys of Instances that the loop would have had reconciled.
    """

    ctx: Context
    woken: list[str]

    def loop(self) -> HealthLoop:
        """Return a loop that knows nothing yet."""
        return HealthLoop(self.ctx, wake=self.woken.append)


@asynccontextmanager
async def stand(
    key: ControlPlaneKey, agents: Sequence[AgentAddress], database: str, *, interval: float
) -> AsyncIterator[Stand]:
    """Prepare a loop over these agents, asked at this interval."""
    settings = OperatorSettings(
        database_url=database,
        artifacts_url="memory:///",
        control_plane_key_file=Path("unused"),
        trusted_bundle_keys_file=Path("unused"),
        agent_api_url="http://127.0.0.1:1",
        health_interval_seconds=interval,
    )
    history, clock, stores = History(settings.database_url), SystemClock(), Stores()
    await history.migrate()
    client = AgentClient(key, subject="operator", now=clock.now)
    ctx = Context(
        settings=settings,
        kube=cast("Any", None),
        history=history,
        artifacts=cast("Any", None),
        agents=client,
        key=key,
        trusted=TrustedKeys(()),
        stores=stores,
        now=clock.now,
        epoch=lambda: 1,
        clock=clock,
    )
    for number, agent in enumerate(agents):
        stores.instances.upsert(_instance(number, agent))
    memory.settle()  # as the operator does once its first lists are in
    try:
        yield Stand(ctx, [])
    finally:
        await client.close()
        await history.close()


@asynccontextmanager
async def running(loop: HealthLoop) -> AsyncIterator[HealthLoop]:
    """Run the loop within the block."""
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextmanager
def apart(fleet: FleetProcess) -> Iterator[None]:
    """Give the fleet a core and this process another, where there are two, within the block."""
    cores = os.sched_getaffinity(0)
    mine, *others = sorted(cores)
    with machine.awake(others[0]) if others else nullcontext():
        machine.pin(fleet.pid, others[0] if others else mine)
        machine.pin(os.getpid(), mine)
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)


def _instance(number: int, agent: AgentAddress) -> Instance:
    return Instance.model_validate(
        {
            "metadata": {
                "name": f"agent-{number:05d}",
                "namespace": "bench",
                "uid": agent.instance_id,
                "resourceVersion": "1",
            },
            "spec": {"id": agent.instance_id, "className": "c", "regionId": "r"},
            "status": {
                "state": "running",
                "healthStatus": "healthy",
                "runtime": {"version": "1.0.0", "bundleHash": "0" * 64},
                "agentUrl": agent.url,
                "agentPublicKey": agent.public_key,
                "conditions": [
                    {
                        "type": conditions.AGENT_HEALTHY,
                        "status": "True",
                        "reason": conditions.HEALTHY,
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }
                ],
            },
        }
    )
