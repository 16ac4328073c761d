"""A small rollout from its creation to its archive: four agents, two at once, one of them fails."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydracore_crds import Bundle, ObjectMeta, Rollout, RolloutTarget, UpdatePolicy
from hydracore_crds.rollout import FailureThreshold, RolloutSpec, Strategy
from hydracore_crds.rollout_target import TERMINAL_STATES
from hydracore_history import History
from hydracore_kube import Namespace, NotFound, Where
from hydracore_operator.rollouts.ledger import ledger_name
from tests.faults.plane import Plane
from tests.faults.simulated import Tenant
from tests.simulation.agent import SimAgent

AGENTS = 4
LIMIT = 2
PUSH_SECONDS = 0.15


class SmallRollout:
    """The scenario. Its lives take turns with two bundles, so that every one has work to do."""

    name = "rollout"
    clock: Path | None = None
    machine_command: tuple[str, ...] | None = None
    keep = False

    def __init__(self, plane: Plane, folder: Path) -> None:
        self.tenant = Tenant(plane, folder)
        self.namespace = self.tenant.namespace
        self.history = History(plane.database_url)
        self._admin = plane.admin
        self._lives = 0
        self._bundles: list[Bundle] = []

    async def prepare(self) -> None:
        """Make agents and bundles; an operator must run, to verify these."""
        await self.tenant.prepare(
            agents=AGENTS, push_seconds=PUSH_SECONDS, max_parallel_rollouts=LIMIT
        )
        self._bundles = [self.tenant.bundle, await self.tenant.publish("1.0.1")]
        self.failing.faults.outcome = "rolled_back"
        self.failing.faults.message = "it did not become healthy"

    @property
    def failing(self) -> SimAgent:
        return self.tenant.agents[1]

    @property
    def rollout_name(self) -> str:
        return f"roll-{self._lives}"

    @property
    def bundle(self) -> Bundle:
        return self._bundles[self._lives % 2]

    async def begin(self) -> None:
        self._lives += 1
        self._asked_for_deletion = False
        oracle = self.tenant.fleet.oracle
        assert not oracle.in_flight
        await self._forget_ledger()
        oracle.accepted.clear()
        oracle.activated.clear()
        oracle.most_in_flight = oracle.stale = 0
        strategy = Strategy(failure_threshold=FailureThreshold(count=AGENTS))
        made = await self._admin.create(
            Rollout(
                metadata=ObjectMeta(name=self.rollout_name, namespace=self.namespace),
                spec=RolloutSpec(bundle_name=self.bundle.metadata.name, strategy=strategy),
            )
        )
        self._uid = made.metadata.uid

    async def _forget_ledger(self) -> None:
        """Have each life make its ledger anew, as a tenant's first rollout does."""
        with suppress(NotFound):
            await self._admin.delete_raw(await self._ledger())

    async def step(self) -> bool:
        if not self._asked_for_deletion:
            if not await self._settled():
                return False
            await self._check_finished()
            if self.keep:
                return True
            await self._admin.delete(Rollout, self.rollout_name, self.namespace)
            self._asked_for_deletion = True
        return await self._gone()

    async def check(self) -> None:
        """From the agents' memory: the limit held, and each took and activated its order once."""
        oracle, agents = self.tenant.fleet.oracle, self.tenant.agents
        assert oracle.most_in_flight <= LIMIT
        assert Counter(found for found, _ in oracle.accepted) == {a.instance_id: 1 for a in agents}
        good = {a.instance_id: 1 for a in agents if a is not self.failing}
        assert Counter(found for found, _ in oracle.activated) == good
        if self.keep:
            return
        archived = await self.history.rollouts.get(self._uid)
        assert archived is not None
        states = Counter(target.wire["status"]["state"] for target in archived.targets)
        assert states == {"succeeded": AGENTS - 1, "failed": 1}

    def describe(self) -> str:
        oracle = self.tenant.fleet.oracle
        return f"{len(oracle.accepted)} accepted, {len(oracle.activated)} activated"

    # ---- inside ------------------------------------------------------------------------------
    async def _settled(self) -> bool:
        """Whether rollout, targets, policy and ledger all say that it is over."""
        rollout = await self._admin.get(Rollout, self.rollout_name, self.namespace)
        if rollout.status.state != "failed":
            return False
        targets, _ = await self._admin.list(RolloutTarget, self.namespace)
        policy = await self._admin.get(UpdatePolicy, "default", self.namespace)
        return (
            {target.status.state for target in targets} <= TERMINAL_STATES
            and policy.status.in_flight == 0
            and not await self._slots()
        )

    async def _check_finished(self) -> None:
        """No target is lost, and the counts add up (I6)."""
        targets, _ = await self._admin.list(RolloutTarget, self.namespace)
        states = {target.spec.instance_id: target.status.state for target in targets}
        assert len(targets) == AGENTS
        assert states == {
            agent.instance_id: "failed" if agent is self.failing else "succeeded"
            for agent in self.tenant.agents
        }
        await self.tenant.check_counts(self.rollout_name, succeeded=AGENTS - 1, failed=1)
        done = dict(self.tenant.fleet.oracle.accepted)
        assert {t.spec.instance_id: t.status.task_id for t in targets} == done

    async def _slots(self) -> dict[str, Any]:
        try:
            return (await self._admin.get_raw(await self._ledger())).get("data") or {}
        except NotFound:
            return {}

    async def _ledger(self) -> Where:
        namespace = await self._admin.get(Namespace, self.namespace)
        return Where("v1", "configmaps", "hydracore-system", ledger_name(namespace.metadata.uid))

    async def _gone(self) -> bool:
        """Whether the rollout and its targets are gone."""
        rollouts, _ = await self._admin.list(Rollout, self.namespace)
        targets, _ = await self._admin.list(RolloutTarget, self.namespace)
        return not rollouts and not targets
