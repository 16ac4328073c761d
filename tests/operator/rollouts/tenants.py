"""Several tenants in one world, and the books of the platform's slots held against each other."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from uuid import uuid4

from hydracore_crds import PlatformPolicy, Rollout, RolloutTarget
from hydracore_kube import Namespace
from hydracore_operator.rollouts.allotments import PLATFORM_LEDGER
from hydracore_operator.rollouts.grants import grant_of
from hydracore_operator.rollouts.ledger import ledger_name
from tests.core.rollouts.builders import platform
from tests.operator.rollouts import builders
from tests.operator.rollouts.world import World
from tests.simulation.agent import SimAgent

HOME = "hydracore-system"


class Tenants(World):
    """A world of tenants ``t0``, ``t1``, … that share one bundle; ``acme`` stays empty."""

    def __init__(self, *fleets: int, limit: int = 4, cap: int | None = None, **other: Any) -> None:
        super().__init__(instances=0, **other)
        self.tenant_of: dict[str, str] = {}
        self.spaces: dict[str, Namespace] = {}
        for number, size in enumerate(fleets):
            self.add_tenant(f"t{number}", size, limit)
        self.cap(cap)

    def add_tenant(self, name: str, size: int, limit: int) -> None:
        self.spaces[name] = self.kube.put(builders.namespace(name))
        self.kube.put(builders.policy(limit, name))
        for number in range(size):
            agent = self.agents.add(
                SimAgent(str(uuid4()), self.oracle, self.clock.now, push_seconds=0.02)
            )
            self.tenant_of[agent.instance_id] = name
            self.kube.put(builders.instance(f"i{number:02d}", agent, namespace=name))

    def cap(self, slots: int | None) -> PlatformPolicy:
        """Say how many may be in flight over all tenants."""
        return self.kube.put(platform(limit=slots))

    def roll_in(self, *names: str, **spec: Any) -> list[Rollout]:
        return [self.kube.put(builders.rollout(namespace=name, **spec)) for name in names]

    def hold(self) -> None:
        """Let agents finish nothing until they are told to."""
        for agent in self.all_agents():
            agent.hold = True

    def let_go(self) -> None:
        for agent in self.all_agents():
            agent.hold = False
            agent.release()

    def finish_one(self, name: str) -> None:
        """Let one order of a tenant end."""
        for agent in self.all_agents():
            if self.tenant_of[agent.instance_id] == name and agent.active is not None:
                agent.release()
                return
        raise AssertionError(f"nothing of {name} is in flight")

    def flying(self) -> dict[str, int]:
        """Return how many orders each tenant's agents work on."""
        busy = [a.instance_id for a in self.all_agents() if a.active is not None]
        return dict(Counter(self.tenant_of[found] for found in busy))

    def accepted(self) -> list[str]:
        """Return whose orders were taken, in order."""
        return [self.tenant_of[instance] for instance, _ in self.oracle.accepted]

    async def all_succeeded(self, rollouts: list[Rollout]) -> None:
        await self.until(
            lambda: all(self.state(found) == "succeeded" for found in rollouts),
            f"all to succeed: {[self.state(found) for found in rollouts]}",
        )

    # ---- the books -----------------------------------------------------------------------------
    def allotted(self) -> dict[str, int]:
        data = self.kube.raw.get((HOME, PLATFORM_LEDGER), {}).get("data") or {}
        names = {space.metadata.uid: name for name, space in self.spaces.items()}
        return {names.get(uid, uid): json.loads(text)["slots"] for uid, text in data.items()}

    def books(self, name: str) -> tuple[int, int | None]:
        """Return how many entries a tenant's ledger has, and how many are granted."""
        raw = self.kube.raw.get((HOME, ledger_name(self.spaces[name].metadata.uid)))
        if raw is None:
            return 0, None
        grant = grant_of(raw["metadata"].get("annotations") or {})
        return len(raw.get("data") or {}), grant.slots if grant is not None else None

    def check_books(self, cap: int) -> None:
        """In flight <= granted <= allotted, and all that is allotted <= the cap."""
        allotted = self.allotted()
        assert sum(allotted.values()) <= cap, f"{allotted} are allotted of {cap}"
        for name in self.spaces:
            entries, granted = self.books(name)
            assert entries <= (granted or 0) <= allotted.get(name, 0), (
                f"{name}: {entries} entries, {granted} granted, {allotted} allotted"
            )

    def watch_books(self, cap: int) -> None:
        """Check the books after every write of a ledger."""

        async def check(verb: str, _name: str) -> None:
            if verb.endswith("configmaps"):
                self.check_books(cap)

        self.kube.after = check

    def of_tenant(self, name: str) -> list[RolloutTarget]:
        return [t for t in self.kube.of(RolloutTarget) if t.metadata.namespace == name]
