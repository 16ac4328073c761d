"""Real agents on local servers, with their processes and their own ledgers."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydracore_agentclient import AgentEndpoint, AgentError, AgentStatus
from hydracore_cli.demo.ledger import most_at_once
from hydracore_cli.stack.content import CLASS_NAME, REGION, ensure_class, ensure_tenant
from hydracore_crds import Instance, ObjectMeta, Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.base import find
from hydracore_crds.bundle import Bundle
from hydracore_crds.instance import InstanceSpec
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_crds.rollout import FailureThreshold, RolloutSpec, Strategy
from hydracore_crds.update_policy import UpdatePolicySpec
from hydracore_operator.providers.local.machine import stat_of
from hydracore_operator.providers.local.record import load, records
from tests.faults import ledgers
from tests.faults.plane import Plane
from tests.faults.waiting import until

TENANT = "acme"
READY_SECONDS = 90.0
ROLLOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Server:
    """One agent's server."""

    name: str
    instance_id: str
    folder: Path
    endpoint: AgentEndpoint

    @property
    def machine_pid(self) -> int:
        record = load(self.folder)
        assert record is not None
        assert record.machine is not None
        return record.machine[0]


class Fleet:
    """The tenant ``acme`` with a few real agents, all on the same runtime."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.servers: list[Server] = []

    async def create(self, names: Sequence[str]) -> None:
        """Order the instances and wait until all are ready."""
        admin = self.plane.admin
        await ensure_tenant(admin, TENANT)
        first = await self.plane.publish_runtime()
        await ensure_class(admin, first.metadata.name)
        meta = ObjectMeta(name="default", namespace=TENANT)
        policy = UpdatePolicy(metadata=meta, spec=UpdatePolicySpec(max_parallel_rollouts=1))
        await admin.create(policy)
        for name in names:
            spec = InstanceSpec(class_name=CLASS_NAME, region_id=REGION)
            meta = ObjectMeta(name=name, namespace=TENANT)
            await admin.create(Instance(metadata=meta, spec=spec))
        ready = [await self._ready(name) for name in names]
        folders = {
            record.labels[INSTANCE_ID_LABEL]: folder
            for folder, record in records(self.plane.layout.servers)
        }
        for instance in ready:
            found = instance.spec.id
            assert found is not None
            status = instance.status
            assert status.agent_url is not None
            endpoint = AgentEndpoint(status.agent_url, found, status.agent_public_key)
            self.servers.append(Server(instance.metadata.name, found, folders[found], endpoint))

    async def all_ready(self) -> None:
        for server in self.servers:
            await self._ready(server.name)

    # ---- rollouts ----------------------------------------------------------------------------
    async def start(self, bundle: Bundle, *, limit: int, failures: int = 1) -> Rollout:
        """Start a rollout to all of them, at most ``limit`` in flight; ``failures`` halt it."""
        spec: dict[str, Any] = {"spec": {"maxParallelRollouts": limit}}
        await self.plane.admin.patch(UpdatePolicy, "default", TENANT, spec)
        meta = ObjectMeta(name=f"roll-{secrets.token_hex(3)}", namespace=TENANT)
        strategy = Strategy(failure_threshold=FailureThreshold(count=failures))
        wanted = RolloutSpec(bundle_name=bundle.metadata.name, strategy=strategy)
        return await self.plane.admin.create(Rollout(metadata=meta, spec=wanted))

    async def rollout(self, rollout: Rollout) -> Rollout:
        return await self.plane.admin.get(Rollout, rollout.metadata.name, TENANT)

    async def in_state(self, rollout: Rollout, state: str) -> Rollout:
        """Wait until the rollout is stored in this state."""

        async def look() -> bool:
            self.plane.revive()
            return (await self.rollout(rollout)).status.state == state

        await until(look, f"the rollout to be {state}", ROLLOUT_SECONDS, state=self._describe)
        return await self.rollout(rollout)

    async def targets(self, rollout: Rollout) -> dict[str, RolloutTarget]:
        """Return the rollout's targets by instance."""
        found, _ = await self.plane.admin.list(RolloutTarget, TENANT)
        name = rollout.metadata.name
        return {t.spec.instance_name: t for t in found if t.spec.rollout_name == name}

    # ---- agents ------------------------------------------------------------------------------
    async def status(self, server: Server) -> AgentStatus | None:
        """Return what the agent says, with proof; None while it does not answer."""
        try:
            return await self.plane.agents.status(server.endpoint)
        except AgentError:
            return None

    async def launcher_pid(self, server: Server) -> int:
        """Return the process that started the agent."""
        found = stat_of(await self.agent_pid(server))
        assert found is not None
        return found[1]

    async def agent_pid(self, server: Server) -> int:
        async def look() -> AgentStatus | None:
            return await self.status(server)

        status = await until(look, f"the agent of {server.name}", READY_SECONDS)
        assert status.pid is not None
        return status.pid

    async def seen(self, bundle: Bundle, event: str, *, count: int = 1) -> Server:
        """Wait until so many agents have noted this event; return the newest of these."""
        sha256 = bundle.spec.artifact.sha256

        def look() -> list[tuple[str, str]]:
            found = []
            for server in self.servers:
                events = ledgers.events_of(server.folder, sha256)
                first = next((e for e in events if e["event"] == event), None)
                if first is not None:
                    found.append((str(first["at"]), server.name))
            return found if len(found) >= count else []

        what = f"{count} agents to note {event!r}"
        _, name = max(await until(look, what, ROLLOUT_SECONDS, every=0.002, state=self._describe))
        return next(server for server in self.servers if server.name == name)

    # ---- oracles -----------------------------------------------------------------------------
    async def check_success(self, rollout: Rollout, bundle: Bundle, *, limit: int) -> None:
        """Assert, from the agents' ledgers and answers, that the rollout did its work once."""
        sha256 = bundle.spec.artifact.sha256
        self.check_flights(bundle, limit=limit)
        targets = await self.targets(rollout)
        assert set(targets) == {server.name for server in self.servers}
        for server in self.servers:
            (flight,) = ledgers.flights(server.folder, sha256)
            assert flight.outcome == "activated", flight
            assert targets[server.name].status.task_id == flight.task_id
            status = await self.status(server)
            assert status is not None
            assert (status.bundle_hash, status.healthy, status.on_trial) == (sha256, True, False)
        counts = (await self.rollout(rollout)).status.counts
        assert counts is not None
        assert counts.succeeded == counts.total == len(self.servers)

    def check_flights(self, bundle: Bundle, *, limit: int) -> None:
        """Assert that no more than ``limit`` were in flight and that each order ended once."""
        sha256 = bundle.spec.artifact.sha256
        flights = [f for server in self.servers for f in ledgers.flights(server.folder, sha256)]
        assert most_at_once(flights) <= limit, flights
        for server in self.servers:
            assert set(ledgers.ends_of(server.folder, sha256).values()) <= {1}

    # ---- inside ------------------------------------------------------------------------------
    async def _ready(self, name: str) -> Instance:
        async def look() -> Instance | None:
            found = await self.plane.admin.get(Instance, name, TENANT)
            ready = find(found.status.conditions, "Ready")
            return found if ready is not None and ready.status == "True" else None

        return await until(look, f"instance {name} to be Ready", READY_SECONDS, every=0.2)

    def _describe(self) -> str:
        lines = []
        for server in self.servers:
            path = server.folder / "state" / "ledger.jsonl"
            lines += [server.name, *path.read_text().splitlines()[-4:]]
        return "\n".join([*lines, self.plane.describe_operators()])


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    found = stat_of(pid)
    return found is not None and found[0] != "Z"


async def kill(pid: int) -> None:
    """SIGKILL a process; returns when it is gone."""
    os.kill(pid, signal.SIGKILL)
    await gone(pid)


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    await until(lambda: not is_alive(pid), f"process {pid} to be gone", 10, every=0.005)
