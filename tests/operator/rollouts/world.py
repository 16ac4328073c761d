"""A whole small world around TenantReconciler, in memory: API server, agents, history, queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, cast
from uuid import uuid4

from hydracore_crds import Bundle, Instance, Rollout, RolloutTarget, UpdatePolicy
from hydracore_history import Execution, HistoryUnavailable
from hydracore_operator.clock import Clock, SystemClock
from hydracore_operator.context import Context, Stores
from hydracore_operator.controller.queue import WorkQueue
from hydracore_operator.rollouts import TenantReconciler, Timing
from hydracore_operator.rollouts.entries import Entry, decode
from hydracore_operator.rollouts.ledger import ledger_name
from hydracore_operator.rollouts.reconciler import new_task_id
from hydracore_operator.settings import OperatorSettings
from tests.operator.rollouts import builders
from tests.operator.rollouts.builders import NS
from tests.operator.rollouts.fake_agents import FakeAgents
from tests.operator.rollouts.fakes import FakeKube
from tests.simulation.agent import SimAgent
from tests.simulation.oracle import Oracle

FAST = Timing(
    long_poll=0.5,
    poll_first=0.01,
    poll_max=0.03,
    evidence_poll=0.03,
    trouble_grace=0.05,
    clock_grace=0.02,
    fence_after=0.4,
    counts_every=0.05,
    coalesce=0.002,
    retry=0.05,
)
WAIT_SECONDS = 10.0


class FakeHistory:
    """History's archive of rollouts, their steps, and what began; ``away``: unavailable."""

    def __init__(self) -> None:
        self.away = False
        self.rollouts = self.executions = self.transitions = self
        self.steps: list[Any] = []
        self.kept: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        self.began: dict[tuple[str, ...], Execution] = {}

    async def archive(
        self, rollout: dict[str, Any], targets: list[dict[str, Any]], *, uid: str, **_: Any
    ) -> None:
        self._check()
        self.kept[uid] = (rollout, targets)

    async def holds(
        self, rollout: dict[str, Any], targets: list[dict[str, Any]], *, uid: str
    ) -> bool:
        self._check()
        return self.kept.get(uid) == (rollout, targets)

    async def begin(self, *, uid: str, at: datetime, **work: str) -> Execution:
        self._check()
        return self.began.setdefault(
            tuple(work.values()), Execution(**work, uid=uid, started_at=at)
        )

    async def get(self, **work: str) -> Execution | None:
        self._check()
        return self.began.get(tuple(work.values()))

    async def missing(self, _uid: str, records: list[Any]) -> list[Any]:
        self._check()
        return [one for one in records if one not in self.steps]

    async def record(self, records: list[Any]) -> None:
        self._check()
        self.steps += [one for one in records if one not in self.steps]

    def _check(self) -> None:
        if self.away:
            raise HistoryUnavailable("locked")


def settings() -> OperatorSettings:
    return OperatorSettings(
        database_url="sqlite+aiosqlite:///unused",
        artifacts_url="file:///unused",
        control_plane_key_file=Path("/unused"),
        trusted_bundle_keys_file=Path("/unused"),
        agent_api_url="http://127.0.0.1:8080",
    )


class Operator:
    """One operator's rollout engine: stores, queue and reconciler, woken by its stores."""

    def __init__(
        self,
        kube: Any,
        agents: Any,
        history: Any,
        *,
        epoch: Callable[[], int] = lambda: 1,
        clock: Clock | None = None,
        timing: Timing = FAST,
        queue: WorkQueue | None = None,
        new_id: Callable[[], str] = new_task_id,
    ) -> None:
        self.clock = clock or SystemClock()
        self.stores = Stores()
        self.queue = queue or WorkQueue("tenants", clock=SystemClock())
        self.ctx = Context(
            settings=settings(),
            kube=kube,
            history=history,
            artifacts=cast("Any", None),
            agents=agents,
            key=cast("Any", None),
            trusted=cast("Any", None),
            stores=self.stores,
            now=self.clock.now,
            epoch=epoch,
            wake_tenant=self.queue.add,
            clock=self.clock,
        )
        self.engine = TenantReconciler(self.ctx, timing=timing, new_id=new_id)
        self._running: asyncio.Task[None] | None = None
        for store in self.stores.each():
            store.subscribe(self._wake)

    def _wake(self, old: Any, new: Any) -> None:
        obj = new if new is not None else old
        namespace = obj.metadata.namespace
        if obj.kind == "Namespace":
            namespace = obj.metadata.name
        for name in [namespace] if namespace else self._namespaces():
            self.queue.add(name)

    def _namespaces(self) -> list[str]:
        return [found.metadata.name for found in self.stores.namespaces.all()]

    def run(self) -> None:
        self._running = asyncio.get_running_loop().create_task(
            self.queue.run(self.engine.reconcile, workers=4)
        )
        for name in self._namespaces():
            self.queue.add(name)

    async def kill(self) -> None:
        """End everything at once, as a crash would: nothing is cleaned up outside."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.engine.close()


class World:
    """A tenant with agents in memory. Use as an async context manager."""

    def __init__(
        self,
        *,
        instances: int = 3,
        limit: int = 2,
        clock: Clock | None = None,
        history: Any = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.kube = FakeKube()
        self.agents = FakeAgents()
        self.history = history or FakeHistory()
        self.oracle = Oracle()
        self.operators: list[Operator] = []
        self.namespace = self.kube.put(builders.namespace())
        self.policy: UpdatePolicy = self.kube.put(builders.policy(limit))
        self.bundle: Bundle = self.kube.put(builders.bundle())
        self.instances: list[Instance] = []
        for number in range(instances):
            self.add_instance(f"i{number:02d}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for operator in self.operators:
            await operator.kill()
        for agent in self.agents.agents.values():
            await agent.close()

    def add_instance(self, name: str) -> Instance:
        agent = self.agents.add(
            SimAgent(str(uuid4()), self.oracle, self.clock.now, push_seconds=0.02)
        )
        found = self.kube.put(builders.instance(name, agent))
        self.instances.append(found)
        return found

    def operator(self, *, epoch: int = 1, run: bool = True, timing: Timing = FAST) -> Operator:
        operator = Operator(
            self.kube,
            self.agents,
            self.history,
            epoch=lambda: epoch,
            clock=self.clock,
            timing=timing,
        )
        self.kube.subscribe(*operator.stores.each())
        self.operators.append(operator)
        if run:
            operator.run()
        return operator

    def roll(self, **spec: Any) -> Rollout:
        return self.kube.put(builders.rollout(**spec))

    def agent(self, index: int) -> SimAgent:
        return self.agents.agents[self.instances[index].spec.id or ""]

    def all_agents(self) -> list[SimAgent]:
        return list(self.agents.agents.values())

    def targets(self) -> list[RolloutTarget]:
        return sorted(self.kube.of(RolloutTarget), key=lambda t: t.metadata.name)

    def target_of(self, index: int) -> RolloutTarget:
        name = self.instances[index].metadata.name
        return next(t for t in self.targets() if t.spec.instance_name == name)

    def states(self) -> list[str]:
        return [target.status.state or "queued" for target in self.targets()]

    def entries(self) -> dict[str, Entry]:
        key = ("hydracore-system", ledger_name(self.namespace.metadata.uid))
        return decode(self.kube.raw.get(key, {}).get("data"))

    def state(self, rollout: Rollout) -> str | None:
        return self.kube.current(rollout).status.state

    async def until(self, check: Callable[[], bool], what: str = "") -> None:
        await eventually(check, lambda: what or f"targets: {self.states()}")

    async def finished(self, rollout: Rollout, state: str) -> None:
        await self.until(lambda: self.state(rollout) == state, f"rollout to be {state}")


async def eventually(
    check: Callable[[], bool], what: Callable[[], str], seconds: float = WAIT_SECONDS
) -> None:
    """Wait until ``check`` holds; fail with ``what`` when it does not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not check():
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain: {what()}"
        await asyncio.sleep(0.005)


async def settle_down(operator: Operator, rounds: int = 3) -> datetime | timedelta | None:
    """Reconcile by hand a few times; return the last answer."""
    answer: datetime | timedelta | None = None
    for _ in range(rounds):
        answer = await operator.engine.reconcile(NS)
    return answer


async def release_all(world: World, rollout: Rollout) -> None:
    """Let every held push go on and wait until the rollout has succeeded."""
    for agent in world.all_agents():
        agent.hold = False
        agent.release()
    await world.finished(rollout, "succeeded")


def reason(world: World, index: int) -> str | None:
    """Return the reason of a target's condition ``Succeeded``."""
    if not world.targets():
        return None
    conditions = world.target_of(index).status.conditions
    return next((c.reason for c in conditions if c.type == "Succeeded"), None)


def condition(world: World, rollout: Rollout, type_: str) -> str | None:
    """Return the reason of one of a rollout's conditions."""
    conditions = world.kube.current(rollout).status.conditions
    return next((c.reason for c in conditions if c.type == type_), None)
