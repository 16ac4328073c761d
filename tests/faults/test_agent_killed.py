"""SIGKILL of an agent's processes in the middle of an order."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

import pytest

from hydracore_cli.demo.ledger import FINAL_EVENTS
from hydracore_crds import RolloutTarget
from hydracore_operator.providers.local.machine import descendants
from tests.faults import ledgers
from tests.faults.fleet import TENANT, Fleet, gone, kill
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(21)]
RECOVERY_SECONDS = 60.0


async def test_agent_launcher_and_machine_each_die_in_mid_order(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """One rollout, one agent at a time: the first loses its agent, the next more of its server.

    With a limit of one, any order begun while another's server is dead would show as an overlap
    in the ledgers.
    """
    bundle = await plane.publish_runtime()
    sha256 = bundle.spec.artifact.sha256
    pids = {}
    for server in fleet.servers:
        agent, launcher = await fleet.agent_pid(server), await fleet.launcher_pid(server)
        pids[server.name] = (agent, launcher, server.machine_pid)
        assert len(set(pids[server.name])) == 3
    rollout = await fleet.start(bundle, limit=1)

    for victim in range(3):
        server = await fleet.seen(bundle, "accepted", count=victim + 1)
        agent = pids[server.name][0]
        os.kill(agent, signal.SIGSTOP)  # so that it is killed where it is now
        seen = ledgers.names_of(server.folder, sha256)
        assert not FINAL_EVENTS & set(seen), seen
        await kill(pids[server.name][victim])
        await gone(agent)

        target = (await fleet.targets(rollout))[server.name]
        assert target.status.state == "in_progress"
        await until(
            partial(ledgers.ends_of, server.folder, sha256),
            f"the end of the order of {server.name} after {seen}",
            RECOVERY_SECONDS,
            state=operator.tail,
        )
        await _settled(plane, target)

    await fleet.in_state(rollout, "succeeded")
    await fleet.check_success(rollout, bundle, limit=1)


async def test_killed_on_trial_is_a_failure_that_a_retry_mends(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """A release that dies on trial did not prove itself: the agent goes back and says so."""
    bundle = await plane.publish_runtime()
    sha256 = bundle.spec.artifact.sha256
    launchers = {server.name: await fleet.launcher_pid(server) for server in fleet.servers}
    old = {server.name: await fleet.status(server) for server in fleet.servers}
    rollout = await fleet.start(bundle, limit=1, failures=9)
    server = await fleet.seen(bundle, "trial")
    launcher = launchers[server.name]
    (trial,) = await until(lambda: descendants(launcher), "the release on trial", 10, every=0.002)
    await kill(trial)

    await fleet.in_state(rollout, "failed")
    fleet.check_flights(bundle, limit=1)
    target = (await fleet.targets(rollout))[server.name]
    (flight,) = ledgers.flights(server.folder, sha256)
    assert (flight.outcome, flight.task_id) == ("rolled_back", target.status.task_id)
    assert target.status.state == "failed"
    assert "SIGKILL" in (target.status.error_message or "")
    before, now = old[server.name], await fleet.status(server)
    assert before is not None
    assert now is not None
    assert (now.bundle_hash, now.healthy) == (before.bundle_hash, True)

    retry: dict[str, Any] = {"spec": {"attempt": 2}}
    await plane.admin.patch(RolloutTarget, target.metadata.name, TENANT, retry)
    await fleet.in_state(rollout, "succeeded")
    fleet.check_flights(bundle, limit=1)
    outcomes = {
        s.name: [f.outcome for f in ledgers.flights(s.folder, sha256)] for s in fleet.servers
    }
    once = {s.name: ["activated"] for s in fleet.servers}
    assert outcomes == once | {server.name: ["rolled_back", "activated"]}


async def _settled(plane: Plane, target: RolloutTarget) -> None:
    async def look() -> bool:
        found = await plane.admin.get(RolloutTarget, target.metadata.name, TENANT)
        return found.status.state == "succeeded"

    await until(look, f"{target.metadata.name} to be succeeded", RECOVERY_SECONDS)
