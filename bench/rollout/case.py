"""One rollout, measured from the Rollout's creation to its stored success."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import results
from bench.apiserver import Raw, requests
from bench.machine import usage
from bench.plane import Plane
from hydracore_crds import Instance, ObjectMeta, Rollout, UpdatePolicy
from hydracore_crds.base import find
from hydracore_crds.rollout import FINAL_STATES, RolloutSpec
from hydracore_kube import KubeError
from tests.simulation.process import FleetProcess

WRITES = 3
"""Writes that one target needs: it is created, stored in progress, stored with its outcome."""

ROLLOUT_WRITES = frozenset({"rollouts", "rollouttargets", "configmaps", "updatepolicies"})
"""Resources that are written for the sake of a rollout."""


@dataclass(frozen=True)
class Case:
    """What is rolled out how."""

    name: str
    n: int
    max_parallel: int
    order_s: float

    @property
    def push_s(self) -> float:
        """Seconds that the orders alone take when all slots are always busy."""
        return math.ceil(self.n / self.max_parallel) * self.order_s

    def lower_bound(self, rate: float) -> float:
        """Return the time below which nobody can be: all slots always busy, all writes at W."""
        return max(self.push_s, self.n * WRITES / rate)

    def bound_by_push(self, lower_bound_s: float) -> bool:
        """Tell whether a lower bound of this case, of three digits or more, is the slots'."""
        return math.isclose(lower_bound_s, self.push_s, abs_tol=0.001)

    def exactly_once(self, oracle: Mapping[str, Any]) -> bool:
        """Return whether by the agents' own count each got one order and carried it out."""
        counts = (oracle["orders"], oracle["activations"], oracle["activatedInstances"])
        return counts == (self.n,) * 3


@dataclass(frozen=True)
class Result:
    """What was measured; see docs/performance.md."""

    name: str
    n: int
    max_parallel: int
    order_s: float
    makespan_s: float
    lower_bound_s: float
    ratio: float
    writes_per_target: float
    operator_cpu_s: float
    operator_peak_rss_mb: float
    max_in_flight: int
    idle_slot_time: float

    def row(self) -> dict[str, Any]:
        """Return the entry of ``cases``."""
        return results.entry(self)


def idle_slot_time(oracle: Mapping[str, Any], slots: int) -> float:
    """Return the share of slot time without an order while targets still waited for theirs.

    Args:
        oracle: What the agents counted; see :func:`tests.simulation.control.summary`.
        slots: How many orders may be in flight.

    Returns:
        ``1 - (time in orders) / (slots x time)`` between the first order's arrival at its agent
        and the last one's; 0 where these are one moment, so that none waited.
    """
    offered = slots * float(oracle["startingSeconds"])
    return 1 - float(oracle["startingSlotSeconds"]) / offered if offered else 0.0


async def measure(
    plane: Plane, raw: Raw, fleet: FleetProcess, case: Case, namespace: str, bundle: str, pid: int
) -> tuple[float, Counter[str], dict[str, Any], float]:
    """Run one rollout; return makespan, writes by resource, the agents' count, operator's CPU.

    Raises:
        RuntimeError: It did not succeed for every agent, each exactly once.
    """
    policy = {"spec": {"maxParallelRollouts": case.max_parallel}}
    await plane.admin.patch(UpdatePolicy, "default", namespace, policy)
    await fleet.reset(case.order_s)
    before, cpu = await requests(raw), usage(pid).cpu_s
    began = time.perf_counter()
    made = await plane.admin.create(
        Rollout(
            metadata=ObjectMeta(name=case.name, namespace=namespace),
            spec=RolloutSpec(bundle_name=bundle),
        )
    )
    ended = await final(plane, made)
    makespan = time.perf_counter() - began
    cpu = usage(pid).cpu_s - cpu
    oracle, after = await fleet.oracle(), await requests(raw)
    _check(case, ended, oracle)
    writes: Counter[str] = Counter()
    for (resource, _verb), count in (after - before).items():
        writes[resource] += count
    return makespan, writes, oracle, cpu


async def settled(plane: Plane, namespace: str, seconds: float = 300) -> None:
    """Wait until every Instance is Ready as it is now and the operator writes nothing any more."""
    deadline = time.monotonic() + seconds
    calm, last = 0, ""
    while calm < 3:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the operator did not come to rest within {seconds:.0f} s")
        instances, _ = await plane.admin.list(Instance, namespace)
        ready = [find(i.status.conditions, "Ready") for i in instances]
        newest = max((i.metadata.resource_version for i in instances), key=int)
        calm = calm + 1 if newest == last and all(r and r.status == "True" for r in ready) else 0
        last = newest
        await asyncio.sleep(1)


async def final(plane: Plane, made: Rollout) -> Rollout:
    """Return a Rollout as it has ended or halted, as soon as a watch says so."""
    namespace, version = made.metadata.namespace, made.metadata.resource_version
    while True:
        try:
            stream = plane.admin.watch(Rollout, namespace, resource_version=version)
            async for event in stream:
                version = event.resource_version or version
                found = event.obj
                if found is None or found.metadata.uid != made.metadata.uid:
                    continue
                if found.status.state in FINAL_STATES or found.status.halt_reason:
                    return found
        except KubeError as fault:
            print(f"the watch of the rollout is made anew: {fault}")


def _check(case: Case, ended: Rollout, oracle: dict[str, Any]) -> None:
    counts = ended.status.counts
    if ended.status.state != "succeeded" or counts is None or counts.succeeded != case.n:
        raise RuntimeError(f"{case.name}: {ended.status.state}, {ended.status.message}, {counts}")
    if not case.exactly_once(oracle) or oracle["mostInFlight"] > case.max_parallel:
        raise RuntimeError(f"{case.name}: the agents counted {oracle}")
