"""A tenant in virtual time: real operators, a remembering API server, simulated agents."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hydracore_crds import Instance, Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.base import set_condition
from hydracore_crds.conditions import AGENT_HEALTHY, HEALTHY, UNREACHABLE
from hydracore_crds.instance import RuntimeStatus
from hydracore_operator.rollouts.ledger import ledger_name
from tests.operator.rollouts import builders
from tests.operator.rollouts.builders import NS
from tests.operator.rollouts.fake_agents import FakeAgents
from tests.operator.rollouts.model.oracles import WriteOracles
from tests.operator.rollouts.model.process import Process
from tests.operator.rollouts.model.records import AgentsBook, Records
from tests.operator.rollouts.model.server import Server
from tests.operator.rollouts.model.start_oracles import StartOracles
from tests.operator.rollouts.world import FakeHistory
from tests.simulation.agent import SimAgent
from tests.simulation.oracle import Task
from tests.support.virtual import VirtualLoop

START = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
LEASE_SECONDS = 15.0
HEARD_AFTER = 3.0
"""Seconds until the health loop writes what an agent runs, and whether it is well."""
DEFAULT_LIMIT = 2
PLANS_WITHIN = 1.0
"""Seconds after news within which an operator has planned anew and its calls have arrived."""
VERSIONS = {"1.0.0": "0" * 64, "1.1.0": "a1" * 32, "1.2.0": "b2" * 32}


class World:
    """The tenant.

    Attributes:
        records: What the oracles remember.
        starts: The oracles of starts.
        processes: Operators by name, those that died too.
        story: What happened, for people; shown when something is violated.
    """

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.start = START
        self.records = Records()
        self.story: list[str] = []
        self.starts = StartOracles(self)
        self._random = random.Random(0)
        self.server = Server(self.now, self.new_id, WriteOracles(self))
        self.agents = FakeAgents()
        self.book = AgentsBook(self.starts.begun, self._ended)
        self.history = FakeHistory()
        self.processes: dict[str, Process] = {}
        self.namespace = builders.namespace()
        self._epoch = 0
        self._background: set[asyncio.Task[None]] = set()

    # ---- time ------------------------------------------------------------------------------
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.loop.time())

    def run(self, deed: Callable[[], None], seconds: float) -> None:
        """Do something, then let time pass."""

        async def both() -> None:
            deed()
            await asyncio.sleep(seconds)

        self.loop.run_until_complete(both())

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def later(self, seconds: float, deed: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, deed, *args)

    def new_id(self) -> str:
        """Return a UUIDv4 that is the same in every run of this history."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def say(self, text: str) -> None:
        self.story.append(f"{self.now():%H:%M:%S.%f}"[:-4] + f"  {text}")

    def violated(self, text: str) -> None:
        self.say(f"VIOLATED: {text}")
        self.records.violations.append(text)

    def close(self) -> None:
        """End everything that is under way."""
        self.loop.shut()

    # ---- operators -------------------------------------------------------------------------
    @property
    def leader(self) -> Process | None:
        """The newest operator, if it lives."""
        newest = self.processes.get(f"operator-{self._epoch}")
        return newest if newest is not None and newest.alive else None

    def lead(self) -> Process:
        """Have a new operator lead, whoever believes to lead beside it."""
        self._epoch += 1
        process = Process(self, self._epoch)
        self.processes[process.name] = process
        process.start()
        self.say(f"{process.name} leads")
        return process

    def lead_later(self, dead: Process) -> None:
        """Have another operator lead once the Lease of a dead one is over, unless one does."""
        self.say(f"{dead.name} has died")
        self.later(LEASE_SECONDS, self.replace, dead)

    def replace(self, old: Process) -> None:
        """Have another operator lead, unless one has taken over already."""
        if self.leader is None or self.leader is old:
            self.lead()

    def process(self, name: str) -> Process:
        return self.processes[name]

    def known(self, by: str, plural: str, name: str) -> list[Any]:
        """Return every version of an object that may be the newest its operator has heard of."""
        return self.processes[by].feed.known((plural, f"{NS}/{name}"))

    def limit_known(self, by: str) -> int:
        """Return the highest limit that an operator may rightly go by: its last plan's."""
        key = ("updatepolicies", f"{NS}/default")
        found: list[UpdatePolicy | None]
        found = self.processes[by].feed.known(key, grace=PLANS_WITHIN)
        return max(p.spec.max_parallel_rollouts if p else DEFAULT_LIMIT for p in found)

    # ---- the cluster -----------------------------------------------------------------------
    def find(self, kind: type[Any], name: str) -> Any:
        """Return an object of the tenant as it is stored, or None."""
        return self.server.objects.get((kind.KIND.plural, f"{NS}/{name}"))

    def rollouts(self) -> list[Rollout]:
        return self.server.of(Rollout)

    def targets_of(self, rollout: Rollout) -> list[RolloutTarget]:
        uid = rollout.metadata.uid
        targets = self.server.of(RolloutTarget)
        return [t for t in targets if any(o.uid == uid for o in t.metadata.owner_references)]

    def target_with(self, task_id: str) -> RolloutTarget | None:
        targets = self.server.of(RolloutTarget)
        return next((t for t in targets if t.status.task_id == task_id), None)

    def slots(self) -> set[str]:
        """Return the tasks in the stored ledger."""
        key = ("hydracore-system", ledger_name(self.namespace.metadata.uid))
        return set(self.server.raw.get(key, {}).get("data") or {})

    def instance_of(self, instance_id: str) -> Instance | None:
        found = self.server.of(Instance)
        return next((i for i in found if i.spec.id == instance_id), None)

    def has_agent(self, instance_id: str) -> bool:
        """Whether an instance is there and nobody deletes it."""
        found = self.instance_of(instance_id)
        return found is not None and not found.deleting

    def name_of(self, instance_id: str) -> str:
        found = self.instance_of(instance_id)
        return found.metadata.name if found is not None else instance_id

    def is_well(self, instance: Instance) -> bool:
        """Whether an instance can be updated as far as its status tells."""
        status = instance.status
        return status.state == "running" and status.health_status != "unreachable"

    # ---- people and machines ---------------------------------------------------------------
    def found_tenant(self, limit: int, instances: list[str]) -> None:
        """Create all that is there before the story begins."""
        self.namespace = self.server.put(self.namespace)
        self.server.put(builders.policy(limit))
        for version, digest in VERSIONS.items():
            self.server.put(builders.bundle(version, digest))
        for name in instances:
            self.add_instance(name)

    def add_instance(self, name: str) -> SimAgent:
        agent = SimAgent(self.new_id(), self.book, self.now, push_seconds=20.0)
        agent.restart_seconds = 1.0
        self.agents.add(agent)
        made = builders.instance(name, agent)
        held = made.metadata.model_copy(update={"finalizers": ["hydracore.io/server"]})
        self.server.put(made.model_copy(update={"metadata": held}))
        return agent

    def server_gone(self, name: str, instance_id: str) -> None:
        """The server of a deleted instance is gone, its agent with it; then so is the instance."""
        agent = self.agents.agents.pop(instance_id, None)
        if agent is not None:
            self.in_background(agent.close())
        found = self.find(Instance, name)
        if found is not None and found.spec.id == instance_id and found.deleting:
            self.server._finalizers(found, [])

    def agent_of(self, name: str) -> SimAgent | None:
        found = self.find(Instance, name)
        return self.agents.agents.get(found.spec.id or "") if found is not None else None

    def hear(self, instance_id: str) -> None:
        """Write to an instance's status what its agent runs and whether it answers."""
        found, agent = self.instance_of(instance_id), self.agents.agents.get(instance_id)
        if found is None or agent is None:
            return
        told = found.status.runtime if agent.faults.silent else _runtime(agent)
        health = "unreachable" if agent.faults.silent else "healthy"
        conditions = set_condition(
            found.status.conditions,
            AGENT_HEALTHY,
            "False" if agent.faults.silent else "True",
            reason=UNREACHABLE if agent.faults.silent else HEALTHY,
            message="",
            now=self.now(),
            generation=1,
        )
        heard = {"runtime": told, "health_status": health, "conditions": conditions}
        status = found.status.model_copy(update=heard)
        if status != found.status:
            self.server.put(found.model_copy(update={"status": status}))

    def _ended(self, instance_id: str, task: Task) -> None:
        self.starts.ended(instance_id, task)
        self.say(f"{self.name_of(instance_id)} says {task.state}")
        self.later(HEARD_AFTER, self.hear, instance_id)


def _runtime(agent: SimAgent) -> RuntimeStatus:
    return RuntimeStatus(version=agent.version, bundle_hash=agent.digest)
