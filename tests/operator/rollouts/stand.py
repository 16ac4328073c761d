"""A tenant on the real API server with simulated agents that answer over HTTP."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import AgentClient, ControlPlaneKey
from hydracore_crds import Bundle, Instance, Resource, Rollout, RolloutTarget
from hydracore_history import History
from hydracore_kube import KubeClient, Namespace, ObjectStore, Reflector, Unavailable
from hydracore_operator.rollouts import Timing
from hydracore_operator.rollouts.ledger import ledger_name
from hydracore_operator.rollouts.writes import bounded
from tests.operator.rollouts import builders
from tests.operator.rollouts.world import Operator, eventually
from tests.simulation.agent import SimAgent
from tests.simulation.agents import AgentFleet

R = TypeVar("R", bound=Resource)
QUICK = Timing(
    long_poll=2.0,
    poll_first=0.05,
    poll_max=0.2,
    evidence_poll=0.2,
    trouble_grace=0.3,
    clock_grace=0.1,
    fence_after=1.0,
    counts_every=0.5,
    coalesce=0.02,
    retry=0.2,
)
SCHEMA_TRIES = 15


def utc_now() -> datetime:
    return datetime.now(UTC)


class CountingClient(KubeClient):
    """A client that counts its writes by ``METHOD path-kind``."""

    writes: Counter[str]

    @classmethod
    async def open(cls, kubeconfig: str, name: str) -> CountingClient:
        client = await cls.connect(kubeconfig, field_manager=name)
        assert isinstance(client, CountingClient)
        client.writes = Counter()
        send = client._transport.json

        async def counted(method: Any, path: str, **rest: Any) -> Any:
            if method != "GET":
                kind = next(p for p in reversed(path.split("/")) if p in _PLURALS)
                client.writes[f"{method} {kind}"] += 1
            return await send(method, path, **rest)

        client._transport.json = counted  # type: ignore[method-assign]
        return client


_PLURALS = {
    "rollouts",
    "rollouttargets",
    "configmaps",
    "instances",
    "bundles",
    "updatepolicies",
    "platformpolicies",
}


class ClusterOperator(Operator):
    """An engine whose stores are fed by watches of the real API server."""

    async def watch(self, namespace: str | None) -> None:
        """Follow one tenant, or (None) all of them."""
        kube, stores = self.ctx.kube, self.stores
        local: tuple[ObjectStore[Any], ...] = (
            stores.instances,
            stores.rollouts,
            stores.targets,
            stores.policies,
        )
        everywhere: tuple[ObjectStore[Any], ...] = (
            stores.bundles,
            stores.namespaces,
            stores.platform,
        )
        watches = [Reflector(kube, store, namespace=namespace) for store in local]
        watches += [Reflector(kube, store) for store in everywhere]
        self._watches = [asyncio.create_task(watch.run()) for watch in watches]
        for store in (*local, *everywhere):
            await asyncio.wait_for(store.ready.wait(), 10)

    async def kill(self) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await super().kill()


class Stand:
    """One tenant; ``async with Stand(...)``."""

    def __init__(self, namespace: str, admin: str, operator: str, folder: Path) -> None:
        self.namespace = namespace
        self.slug = f"r{secrets.token_hex(4)}"
        self.key = ControlPlaneKey(Ed25519PrivateKey.generate())
        self.fleet = AgentFleet(self.key)
        self.history = History(f"sqlite+aiosqlite:///{folder / 'history.db'}")
        self.operators: list[ClusterOperator] = []
        self.agents: list[SimAgent] = []
        self._admin_config, self._operator_config = admin, operator
        self._closing: list[Any] = []

    async def __aenter__(self) -> Self:
        self.admin = await KubeClient.connect(self._admin_config, field_manager="admin")
        await self.history.migrate()
        await self.fleet.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for operator in self.operators:
            await operator.kill()
        await self.fleet.__aexit__(kind, error, trace)
        for client in (*self._closing, self.history, self.admin):
            await client.close()

    async def prepare(self, *, instances: int, limit: int, push_seconds: float = 0.1) -> None:
        """Create the policy, a ready bundle and running instances with agents."""
        await self.admin.create(builders.policy(limit, self.namespace))
        bundle = builders.bundle("1.1.0", secrets.token_hex(32))
        bundle.spec.slug = self.slug
        bundle.metadata.name = f"runtime-{self.slug}-1.1.0"
        self.bundle = await self._create_with_status(bundle)
        await self._settle_in(self.namespace, instances, push_seconds)

    async def neighbour(self, namespace: str, *, instances: int, limit: int) -> None:
        """Create the policy and running instances of another tenant."""
        await self.admin.create(builders.policy(limit, namespace))
        await self._settle_in(namespace, instances, 0.1)

    async def _settle_in(self, namespace: str, instances: int, push_seconds: float) -> None:
        jobs = [partial(self._instance, namespace, n, push_seconds) for n in range(instances)]
        for result in await bounded(jobs, at_once=16):
            if isinstance(result, Exception):
                raise result

    async def operator(
        self,
        *,
        epoch: int = 1,
        run: bool = True,
        timing: Timing = QUICK,
        all_tenants: bool = False,
    ) -> ClusterOperator:
        """Start an operator under an epoch; several may believe to lead at once."""
        kube = await CountingClient.open(self._operator_config, "hydracore-operator")
        agents = AgentClient(self.key, subject="operator", now=utc_now)
        self._closing += [kube, agents]
        operator = ClusterOperator(kube, agents, self.history, epoch=lambda: epoch, timing=timing)
        await operator.watch(None if all_tenants else self.namespace)
        self.operators.append(operator)
        if run:
            operator.run()
        return operator

    async def roll(self, **spec: Any) -> Rollout:
        """Create a rollout; where the API server reads the schemas anew, a little later.

        It says so then: "There can be a delay between when CustomResourceDefinitions are created
        and when they are available". It looks for them every five seconds.
        """
        where = {"namespace": self.namespace, **spec}
        made = builders.rollout(bundle=self.bundle.metadata.name, **where)
        for _ in range(SCHEMA_TRIES):
            try:
                return await self.admin.create(made)
            except Unavailable as error:
                if "There can be a delay" not in str(error):
                    raise
                await asyncio.sleep(1)
        return await self.admin.create(made)

    async def edit(self, obj: R, spec: dict[str, Any]) -> R:
        return await self.admin.patch(type(obj), obj.metadata.name, self.namespace, {"spec": spec})

    async def fresh(self, obj: R) -> R:
        return await self.admin.get(type(obj), obj.metadata.name, obj.metadata.namespace)

    async def targets(self) -> list[RolloutTarget]:
        found, _ = await self.admin.list(RolloutTarget, self.namespace)
        return sorted(found, key=lambda target: target.metadata.name)

    async def states(self) -> Counter[str]:
        return Counter(target.status.state or "queued" for target in await self.targets())

    async def slots(self) -> dict[str, str]:
        namespace = await self.admin.get(Namespace, self.namespace)
        place = ("v1", "configmaps", "hydracore-system", ledger_name(namespace.metadata.uid))
        return (await self.admin.get_raw(place)).get("data") or {}

    async def finished(self, rollout: Rollout, state: str, seconds: float = 30) -> Rollout:
        """Wait until the rollout is stored in this state."""
        await self.until(lambda r: r.status.state == state, rollout, state, seconds)
        return await self.fresh(rollout)

    async def until(
        self, check: Callable[[Any], bool], obj: R, what: str, seconds: float = 30
    ) -> R:
        """Wait until the stored object fulfils ``check``."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not check(found := await self.fresh(obj)):
            assert asyncio.get_running_loop().time() < deadline, (
                f"waited in vain for {what}; {await self.states()}"
            )
            await asyncio.sleep(0.05)
        return found

    async def in_flight(self, count: int) -> None:
        """Wait until the agents work on so many orders."""
        oracle = self.fleet.oracle
        await eventually(lambda: len(oracle.in_flight) == count, lambda: f"{count} in flight", 20)

    async def slots_empty(self) -> None:
        deadline = asyncio.get_running_loop().time() + 10
        while await self.slots():
            assert asyncio.get_running_loop().time() < deadline, "slots are still taken"
            await asyncio.sleep(0.05)

    def once_each(self) -> None:
        """Assert that every agent activated exactly once."""
        counts = {
            a.instance_id: self.fleet.oracle.activations_of(a.instance_id) for a in self.agents
        }
        assert set(counts.values()) == {1}, counts

    async def _instance(self, namespace: str, number: int, push_seconds: float) -> None:
        agent = self.fleet.add(push_seconds=push_seconds)
        self.agents.append(agent)
        made = builders.instance(
            f"i{number:04d}", agent, url=self.fleet.url(agent), namespace=namespace
        )
        made.spec.runtime_type = self.slug
        await self._create_with_status(made)

    async def _create_with_status(self, obj: R) -> R:
        wanted = obj.status  # type: ignore[attr-defined]
        created = await self.admin.create(obj)
        return await self.admin.update_status(created, wanted)


__all__ = ["QUICK", "Bundle", "ClusterOperator", "Instance", "Stand"]
