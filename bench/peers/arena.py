"""Where contenders meet: the cluster, the fleet and what is measured of both."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.apiserver import Raw, requests
from bench.fleet import API
from bench.machine import Usage
from bench.peers.job import Agent, Bundle, Job, ask_seconds
from bench.plane import Plane
from bench.rollout.case import Case, final
from hydracore_crds import Bundle as BundleResource
from hydracore_crds import ObjectMeta, Rollout
from hydracore_crds.rollout import RolloutSpec
from hydracore_devcluster.install import NAMESPACE as OPERATOR_NAMESPACE
from hydracore_operator.leadership.epochs import RECORD_NAME
from tests.simulation.process import FleetProcess

TENANT, NAMESPACE = "bench", "bench-peers"
START_SECONDS = 120.0
TRIAL_SECONDS = 1800.0


@dataclass(frozen=True)
class Trial:
    """What one contender did in one case.

    Attributes:
        writes: Answered writes by resource, all that the API server counted but for Leases.
        used: CPU seconds within the makespan, and peak memory, by part.
        oracle: What the agents counted.
        stored: RolloutTargets by state, as the cluster has them at the end.
    """

    contender: str
    case: Case
    makespan_s: float
    writes: Counter[str]
    used: dict[str, Usage]
    oracle: dict[str, Any]
    stored: Counter[str]


@dataclass(frozen=True)
class Arena:
    """A control plane, a fleet whose Instances are in :data:`TENANT`, and a place for Rollouts."""

    plane: Plane
    raw: Raw
    fleet: FleetProcess

    async def prepare(self) -> None:
        """Create the peers' namespace: no tenant's, so that HydraCore has no part in it."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        await self.raw.send("POST", "/api/v1/namespaces", body)

    async def job(self, case: Case, bundle: BundleResource, path: Path) -> Job:
        """Write down what a peer is to do."""
        instances = orjson.loads(await self.raw.get(f"{API}/namespaces/{TENANT}/instances"))
        job = Job(
            kubeconfig=str(self.plane.dev.admin_kubeconfig),
            tenant=TENANT,
            namespace=NAMESPACE,
            rollout=case.name,
            bundle_name=bundle.metadata.name,
            limit=case.max_parallel,
            ask_seconds=ask_seconds(case.order_s),
            epoch=await self._epoch(),
            key_file=str(self.plane.layout.control_plane_key),
            bundle=_ordered(bundle),
            agents=[_agent(one) for one in instances["items"]],
        )
        job.write(path)
        return job

    async def trial(
        self,
        contender: str,
        case: Case,
        used: Callable[[], dict[str, Usage]],
        roll_out: Callable[[], Awaitable[None]],
        namespace: str | None,
    ) -> Trial:
        """Let one contender that is ready roll out.

        Args:
            contender: Its name.
            case: What is rolled out how.
            used: What its processes have used since they started.
            roll_out: Does it; ends when it is done.
            namespace: Where its targets are; None for those who write none.
        """
        await self.fleet.reset(case.order_s)
        before, began_with = await requests(self.raw), used()
        began = time.perf_counter()
        async with asyncio.timeout(TRIAL_SECONDS):
            await roll_out()
        makespan = time.perf_counter() - began
        ended_with, after = used(), await requests(self.raw)
        writes: Counter[str] = Counter()
        for (resource, _verb), count in (after - before).items():
            if resource != "leases":
                writes[resource] += count
        return Trial(
            contender=contender,
            case=case,
            makespan_s=makespan,
            writes=writes,
            used={
                part: Usage(now.cpu_s - began_with[part].cpu_s, now.peak_rss_mb)
                for part, now in ended_with.items()
            },
            oracle=await self.fleet.oracle(),
            stored=await self._stored(namespace, case) if namespace else Counter(),
        )

    async def rollout(
        self,
        name: str,
        namespace: str,
        bundle: str,
        created: Callable[[], None] = lambda: None,
    ) -> None:
        """Create a Rollout and return when its end is stored; ``created`` is called between.

        Raises:
            RuntimeError: It did not succeed.
        """
        meta = ObjectMeta(name=name, namespace=namespace)
        made = await self.plane.admin.create(
            Rollout(metadata=meta, spec=RolloutSpec(bundle_name=bundle))
        )
        created()
        ended = await final(self.plane, made)
        if ended.status.state != "succeeded":
            raise RuntimeError(f"{namespace}/{name}: {ended.status.state} {ended.status.message}")

    async def clear(self) -> None:
        """Remove what a peer has written, so that the next one finds nothing."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        for plural in ("rollouttargets", "rollouts"):
            root = f"{API}/namespaces/{NAMESPACE}/{plural}"
            await self.raw.send("DELETE", root, options)
            while orjson.loads(await self.raw.get(root))["items"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        events = f"/api/v1/namespaces/{NAMESPACE}/events"
        await self.raw.send("DELETE", events, options)

    async def _stored(self, namespace: str, case: Case) -> Counter[str]:
        found = orjson.loads(await self.raw.get(f"{API}/namespaces/{namespace}/rollouttargets"))
        return Counter(
            one["status"]["state"]
            for one in found["items"]
            if one["spec"]["rolloutName"] == case.name
        )

    async def _epoch(self) -> int:
        """Return the highest epoch that any leader's orders have carried."""
        root = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps"
        found = orjson.loads(await self.raw.get(root))["items"]
        records = [one for one in found if one["metadata"]["name"] == RECORD_NAME]
        return max((int(one["data"]["epoch"]) for one in records), default=0)


def _ordered(bundle: BundleResource) -> Bundle:
    spec = bundle.spec
    return Bundle(
        slug=spec.slug,
        version=spec.version,
        sha256=spec.artifact.sha256,
        size_bytes=spec.artifact.size_bytes,
        key_id=spec.signature.key_id,
        signature=spec.signature.value,
    )


def _agent(instance: dict[str, Any]) -> Agent:
    return Agent(
        instance_name=instance["metadata"]["name"],
        instance_id=instance["spec"]["id"],
        url=instance["status"]["agentUrl"],
        public_key=instance["status"]["agentPublicKey"],
    )
