"""Objects for rollout tests."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hydracore_crds import Bundle, Instance, ObjectMeta, Rollout, UpdatePolicy
from hydracore_crds.base import Condition
from hydracore_crds.bundle import Artifact, BundleSpec, Signature
from hydracore_crds.instance import InstanceSpec, InstanceStatus, RuntimeStatus
from hydracore_crds.names import TENANT_LABEL
from hydracore_crds.rollout import RolloutSpec, Strategy
from hydracore_crds.update_policy import UpdatePolicySpec
from hydracore_kube import Namespace
from tests.operator.rollouts.fakes import START
from tests.simulation.agent import SimAgent

NS = "acme"
DIGEST = "a1" * 32
OLD_DIGEST = "0" * 64


def namespace(name: str = NS) -> Namespace:
    return Namespace(metadata=ObjectMeta(name=name, uid=str(uuid4()), labels={TENANT_LABEL: name}))


def bundle(version: str = "1.1.0", digest: str = DIGEST, *, ready: bool = True) -> Bundle:
    made = Bundle(
        metadata=ObjectMeta(name=f"runtime-expressclaw-{version}", generation=1),
        spec=BundleSpec(
            component="runtime",
            slug="expressclaw",
            version=version,
            artifact=Artifact(uri=f"store:///sha256/{digest}", sha256=digest, size_bytes=1000),
            signature=Signature(key_id="k1", value="A" * 86 + "=="),
        ),
    )
    if ready:
        made.status.conditions = [
            Condition(
                type="Ready",
                status="True",
                reason="Verified",
                last_transition_time=START,
                observed_generation=1,
            )
        ]
        made.status.observed_generation = 1
    return made


def policy(limit: int = 2, namespace: str = NS, **spec: Any) -> UpdatePolicy:
    return UpdatePolicy(
        metadata=ObjectMeta(name="default", namespace=namespace),
        spec=UpdatePolicySpec(max_parallel_rollouts=limit, **spec),
    )


def instance(
    name: str, agent: SimAgent, *, url: str = "http://127.0.0.1:1", namespace: str = NS
) -> Instance:
    return Instance(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=InstanceSpec(id=agent.instance_id, class_name="small", region_id="local"),
        status=running(agent, url=url, hostname=name),
    )


def running(agent: SimAgent, *, url: str, hostname: str) -> InstanceStatus:
    """Return the status of an instance whose agent is up."""
    return InstanceStatus(
        state="running",
        provisioning_stage="healthy",
        hostname=hostname,
        agent_url=url,
        agent_public_key=agent.public_key,
        runtime=RuntimeStatus(version="1.0.0", bundle_hash=agent.digest),
        health_status="healthy",
    )


def rollout(
    name: str = "to-110",
    *,
    bundle: str = "runtime-expressclaw-1.1.0",
    namespace: str = NS,
    strategy: dict[str, Any] | None = None,
    **spec: Any,
) -> Rollout:
    return Rollout(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=RolloutSpec(bundle_name=bundle, strategy=Strategy(**(strategy or {})), **spec),
    )
