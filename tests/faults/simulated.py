"""A tenant whose agents are simulated in the test's process; operators are real processes.

Its Instances have been ready once and have no server at a provider and no class: operators cannot
order anything for them, leave them running, and roll out to them.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hydracore_artifacts.signing import BundleSigner
from hydracore_cli.stack.content import ensure_tenant, wait_verified
from hydracore_crds import Bundle, Instance, ObjectMeta, Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.base import find
from hydracore_crds.bundle import Artifact, BundleSpec, bundle_name
from hydracore_crds.instance import InstanceSpec, InstanceStatus, RuntimeStatus
from hydracore_crds.names import PAUSED_ANNOTATION
from hydracore_crds.rollout import RolloutSpec, Strategy
from hydracore_crds.update_policy import UpdatePolicySpec
from hydracore_kube import Unavailable, Where
from tests.faults.plane import Plane
from tests.faults.waiting import until
from tests.simulation.agent import SimAgent
from tests.simulation.agents import AgentFleet
from tests.simulation.oracle import Task

WAIT_SECONDS = 60.0


class Tenant:
    """One tenant of simulated agents; ``async with Tenant(...)``."""

    def __init__(self, plane: Plane, folder: Path) -> None:
        self.plane = plane
        self.namespace = f"t-{secrets.token_hex(4)}"
        self.slug = f"r{secrets.token_hex(4)}"
        self.fleet = AgentFleet(plane.key)
        self._folder = folder

    async def __aenter__(self) -> Self:
        await self.fleet.__aenter__()
        await ensure_tenant(self.plane.admin, self.namespace)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Its agents are about to be gone: no operator shall look after them any more.
        await self.plane.admin.delete_raw(Where("v1", "namespaces", None, self.namespace))
        await self.fleet.__aexit__(kind, error, trace)

    # ---- what there is -----------------------------------------------------------------------
    async def prepare(self, *, agents: int, push_seconds: float = 0.3, **policy: Any) -> None:
        """Create policy, instances with agents and a verified bundle."""
        await self.plane.admin.create(
            UpdatePolicy(
                metadata=ObjectMeta(name="default", namespace=self.namespace),
                spec=UpdatePolicySpec(**policy),
            )
        )
        for number in range(agents):
            await self.add(f"i{number:02d}", push_seconds=push_seconds)
        self.bundle = await self.publish()

    async def add(self, name: str, *, push_seconds: float = 0.3) -> SimAgent:
        """Create one more instance, with an agent."""
        agent = self.fleet.add(push_seconds=push_seconds)
        await self._instance(name, agent)
        return agent

    async def start(self, name: str = "roll", **spec: Any) -> Rollout:
        strategy = Strategy(**spec.pop("strategy", {}))
        wanted = Rollout(
            metadata=ObjectMeta(name=name, namespace=self.namespace),
            spec=RolloutSpec(bundle_name=self.bundle.metadata.name, strategy=strategy, **spec),
        )

        async def create() -> Rollout | None:
            try:
                return await self.plane.admin.create(wanted)
            except Unavailable:
                return None  # a young API server checks policies before it knows their kinds

        return await until(create, "the API server to take a Rollout", 30)

    @property
    def agents(self) -> list[SimAgent]:
        return list(self.fleet.agents.values())

    def hold(self, *, on: bool) -> None:
        """Keep all pushes open, or let them go on."""
        for agent in self.agents:
            agent.hold = on
            if not on:
                agent.release()

    def when_accepted(self, count: int, act: Callable[[], None]) -> None:
        """Call ``act`` while the count-th order is being taken, before its sender is answered."""
        oracle = self.fleet.oracle
        begin = oracle.begin

        def noticed(instance_id: str, task: Task) -> None:
            begin(instance_id, task)
            if len(oracle.accepted) == count:
                act()

        oracle.begin = noticed  # type: ignore[method-assign]

    # ---- what became of it -------------------------------------------------------------------
    async def rollout(self, name: str = "roll") -> Rollout:
        return await self.plane.admin.get(Rollout, name, self.namespace)

    async def targets(self) -> list[RolloutTarget]:
        found, _ = await self.plane.admin.list(RolloutTarget, self.namespace)
        return sorted(found, key=lambda target: target.metadata.name)

    async def states(self) -> Counter[str]:
        return Counter(target.status.state or "queued" for target in await self.targets())

    async def reason(self, name: str = "roll") -> str | None:
        """Return the reason of the rollout's condition Progressing."""
        found = find((await self.rollout(name)).status.conditions, "Progressing")
        return found.reason if found else None

    async def finished(self, state: str, name: str = "roll", seconds: float = WAIT_SECONDS) -> None:
        """Wait until the rollout is stored in this state."""

        async def look() -> bool:
            self.plane.revive()
            return (await self.rollout(name)).status.state == state

        await until(look, f"{name} to be {state}", seconds, state=self._describe)

    async def until_oracle(self, check: Callable[[], bool], what: str) -> None:
        """Wait until the agents have seen something."""

        def look() -> bool:
            self.plane.revive()
            return check()

        await until(look, what, WAIT_SECONDS, every=0.01, state=self._describe)

    async def until_accepted(self, count: int) -> None:
        """Wait until the agents have taken so many orders."""
        await self.until_oracle(lambda: len(self.fleet.oracle.accepted) >= count, f"{count} orders")

    async def until_busy(self, count: int) -> None:
        """Wait until so many orders are in flight."""
        oracle = self.fleet.oracle
        await self.until_oracle(lambda: len(oracle.in_flight) == count, f"{count} in flight")

    async def until_asked(self, times: int) -> None:
        """Wait until the agents have been asked so many times more."""
        wanted = self.fleet.oracle.asked + times
        await self.until_oracle(lambda: self.fleet.oracle.asked >= wanted, "more questions")

    async def check_success(self, limit: int) -> None:
        """Assert, from what the agents counted, that the rollout did its work and no more."""
        oracle, digest = self.fleet.oracle, self.bundle.spec.artifact.sha256
        assert oracle.most_in_flight <= limit
        skipped = (await self.rollout()).status.skipped
        assert skipped is None or skipped.reasons == {}
        await self.check_counts(succeeded=len(self.agents))
        assert {agent.digest for agent in self.agents} == {digest}
        accepted = Counter(instance for instance, _ in oracle.accepted)
        activated = Counter(instance for instance, _ in oracle.activated)
        once = {agent.instance_id: 1 for agent in self.agents}
        assert accepted == once
        assert activated == once
        tasks = {target.spec.instance_id: target.status.task_id for target in await self.targets()}
        assert tasks == dict(oracle.activated)

    async def check_counts(self, name: str = "roll", **expected: int) -> None:
        """Assert that the stored counts are these and add up."""
        counts = (await self.rollout(name)).status.counts
        assert counts is not None
        found = counts.model_dump()
        total = found.pop("total")
        there = [target for target in await self.targets() if target.spec.rollout_name == name]
        assert total == sum(found.values()) == len(there)
        assert {state: n for state, n in found.items() if n} == expected

    # ---- inside ------------------------------------------------------------------------------
    def _describe(self) -> str:
        oracle = self.fleet.oracle
        return (
            f"{len(oracle.accepted)} accepted, {len(oracle.activated)} activated, "
            f"{len(oracle.in_flight)} in flight\n{self.plane.describe_operators()}"
        )

    async def _instance(self, name: str, agent: SimAgent) -> None:
        # Paused until it has its status, so that no operator sees it half made.
        paused = {PAUSED_ANNOTATION: "true"}
        meta = ObjectMeta(name=name, namespace=self.namespace, annotations=paused)
        spec = InstanceSpec(
            id=agent.instance_id, class_name="simulated", region_id="none", runtime_type=self.slug
        )
        made = await self.plane.admin.create(Instance(metadata=meta, spec=spec))
        status = InstanceStatus(
            state="running",
            provisioning_stage="healthy",
            hostname=name,
            agent_url=self.fleet.url(agent),
            agent_public_key=agent.public_key,
            runtime=RuntimeStatus(version="0.9.0", bundle_hash=agent.digest),
            health_status="healthy",
            ready_at=datetime.now(UTC),
        )
        await self.plane.admin.update_status(made, status)
        body: dict[str, Any] = {"metadata": {"annotations": {PAUSED_ANNOTATION: None}}}
        await self.plane.admin.patch(Instance, name, self.namespace, body)

    async def publish(self, version: str = "1.0.0") -> Bundle:
        """Publish a small artifact; simulated agents do not fetch it, the operator verifies it."""
        data = secrets.token_bytes(1000)
        path = self._folder / f"{self.slug}-{version}.bin"
        await asyncio.to_thread(path.write_bytes, data)
        sha256 = hashlib.sha256(data).hexdigest()
        signer = BundleSigner.load(self.plane.layout.signing_key)
        made = await self.plane.admin.create(
            Bundle(
                metadata=ObjectMeta(name=bundle_name("runtime", self.slug, version)),
                spec=BundleSpec(
                    component="runtime",
                    slug=self.slug,
                    version=version,
                    artifact=Artifact(
                        uri=await self.plane.store.put(sha256, path),
                        sha256=sha256,
                        size_bytes=len(data),
                    ),
                    signature=signer.sign(sha256),
                ),
            )
        )
        return await wait_verified(self.plane.admin, made.metadata.name)
