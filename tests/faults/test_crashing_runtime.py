"""A runtime that crashes at import: agents go back, the rollout halts, people decide."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hydracore_crds import Rollout
from hydracore_crds.names import RESUMED_AT_ANNOTATION
from tests.faults import ledgers
from tests.faults.fleet import TENANT, Fleet
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant

pytestmark = [pytest.mark.stack, pytest.mark.faults]
LIMIT = 2
CANCEL: dict[str, Any] = {"spec": {"cancel": "Graceful"}}
CRASH = "no stations in this town"


async def test_real_agents_go_back_and_the_rest_is_spared(
    plane: Plane, fleet: Fleet, tmp_path: Path
) -> None:
    plugin = tmp_path / "stations.py"
    plugin.write_text(f"NAME = 'stations'\nraise RuntimeError({CRASH!r})\n")
    bundle = await plane.publish_runtime([plugin])
    sha256 = bundle.spec.artifact.sha256
    before = {server.name: await fleet.status(server) for server in fleet.servers}
    rollout = await fleet.start(bundle, limit=LIMIT)
    halted = await fleet.in_state(rollout, "paused")
    assert halted.status.halt_reason is not None

    await plane.admin.patch(
        Rollout, rollout.metadata.name, TENANT, {"spec": {"cancel": "Graceful"}}
    )
    ended = await fleet.in_state(rollout, "cancelled")

    fleet.check_flights(bundle, limit=LIMIT)
    flights = {s.name: ledgers.flights(s.folder, sha256) for s in fleet.servers}
    tried = {name for name, found in flights.items() if found}
    assert 0 < len(tried) <= LIMIT
    for name in tried:
        (flight,) = flights[name]
        assert flight.outcome == "rolled_back"
        assert CRASH in flight.message
    for server in fleet.servers:
        old, now = before[server.name], await fleet.status(server)
        assert old is not None
        assert now is not None
        assert (now.bundle_hash, now.healthy, now.on_trial) == (old.bundle_hash, True, False)
        assert (now.started_at == old.started_at) == (server.name not in tried)
    targets = await fleet.targets(rollout)
    states = {name: target.status.state for name, target in targets.items()}
    assert states == {name: "failed" if name in tried else "cancelled" for name in states}
    assert all(CRASH in (targets[name].status.error_message or "") for name in tried)
    assert ended.status.counts is not None
    assert ended.status.counts.failed + ended.status.counts.cancelled == len(fleet.servers)


async def test_a_resume_accepts_the_failures_and_halts_at_new_ones(
    plane: Plane, operator: OperatorProcess, tenant: Tenant
) -> None:
    """Every wave is stopped by its own failures, until the rest is cancelled."""
    await tenant.prepare(agents=8, push_seconds=0.1, max_parallel_rollouts=LIMIT)
    for agent in tenant.agents:
        agent.faults.outcome = "rolled_back"
    oracle = tenant.fleet.oracle
    await tenant.start()
    tried: list[int] = []
    for _ in range(2):
        await tenant.finished("paused")
        await tenant.until_busy(0)
        tried.append(len(oracle.accepted) - sum(tried))
        await _resume(plane, tenant)
        await tenant.until_accepted(sum(tried) + 1)
    await tenant.finished("paused")
    await tenant.until_busy(0)
    assert all(0 < count <= LIMIT for count in tried)
    before = len(oracle.accepted)
    await plane.admin.patch(Rollout, "roll", tenant.namespace, CANCEL)
    await tenant.finished("cancelled")

    assert len(oracle.accepted) == before
    assert oracle.activated == []
    assert oracle.most_in_flight <= LIMIT
    assert len({instance for instance, _ in oracle.accepted}) == before
    await tenant.check_counts(failed=before, cancelled=8 - before)


async def _resume(plane: Plane, tenant: Tenant) -> None:
    now = datetime.now(UTC).isoformat()
    body: dict[str, Any] = {"metadata": {"annotations": {RESUMED_AT_ANNOTATION: now}}}
    await plane.admin.patch(Rollout, "roll", tenant.namespace, body)
