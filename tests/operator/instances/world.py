"""A world for reconcilers: real API server and SQL; scripted provider, agents, store and clock."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import (
    AgentEndpoint,
    AgentError,
    AgentStatus,
    ControlPlaneKey,
    DeepHealth,
    Unreachable,
)
from hydracore_artifacts.errors import ArtifactError
from hydracore_artifacts.signing import TrustedKeys
from hydracore_artifacts.store import ArtifactStore
from hydracore_crds import Bundle, Instance, InstanceClass
from hydracore_crds.base import find
from hydracore_crds.conditions import READY
from hydracore_history import History
from hydracore_kube import KubeClient
from hydracore_operator.context import Context, RetryLater, Stores
from hydracore_operator.health.verdicts import Verdicts
from hydracore_operator.instances import InstanceReconciler
from hydracore_operator.providers import Providers
from hydracore_operator.settings import OperatorSettings
from tests.operator.providers.double import DoubleProvider

PUBLIC_KEY = "A" * 43 + "="


class Agents:
    """Agents that answer what they were told to; others are unreachable."""

    def __init__(self) -> None:
        self.answers: dict[str, AgentStatus | AgentError] = {}
        self.asked: list[AgentEndpoint] = []
        self.examined: list[AgentEndpoint] = []
        self.forgotten: list[AgentEndpoint] = []

    def healthy(self, instance_id: str, version: str, digest: str) -> None:
        """Have an agent say that it is well."""
        self.answers[instance_id] = AgentStatus(
            instance_id=instance_id,
            slug="any",
            version=version,
            bundle_hash=digest,
            healthy=True,
            health_status="healthy",
        )

    async def status(self, ep: AgentEndpoint) -> AgentStatus:
        self.asked.append(ep)
        answer = self.answers.get(ep.instance_id)
        if isinstance(answer, AgentStatus):
            return answer
        raise answer or Unreachable(f"{ep.url}: no connection")

    def forget(self, ep: AgentEndpoint) -> None:
        self.forgotten.append(ep)

    async def poll(self, ep: AgentEndpoint) -> AgentStatus:
        return await self.status(ep)

    async def deep_health(self, ep: AgentEndpoint) -> DeepHealth:
        self.examined.append(ep)
        answer = self.answers.get(ep.instance_id)
        if not isinstance(answer, AgentStatus):
            raise answer or Unreachable(f"{ep.url}: no connection")
        return DeepHealth(
            status=answer.health_status, checked_at=datetime.now(UTC), uptime_seconds=1
        )


class Artifacts:
    """An object store that verifies everything, or fails as told; instances have a real one."""

    def __init__(self, folder: Path) -> None:
        self.instances = ArtifactStore(folder.as_uri()).instances
        self.error: ArtifactError | None = None
        self.verified = 0

    async def verify(self, _spec: object, _trusted: object) -> None:
        self.verified += 1
        if self.error is not None:
            raise self.error


@dataclass
class World:
    """Everything that a test of a reconciler needs."""

    ctx: Context
    admin: KubeClient
    namespace: str
    provider: DoubleProvider
    agents: Agents
    artifacts: Artifacts
    time: list[datetime]
    verdicts: Verdicts = field(default_factory=Verdicts)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew as another operator process would: nothing remembered."""
        self.verdicts = Verdicts()
        providers = Providers({"local": self.provider})
        self.reconciler = InstanceReconciler(self.ctx, providers, self.verdicts)

    @property
    def slug(self) -> str:
        """The runtime of this world."""
        return self.namespace

    @property
    def digest(self) -> str:
        """The digest of this world's runtimes, unlike those of other tests."""
        return hashlib.sha256(self.slug.encode()).hexdigest()

    @property
    def now(self) -> datetime:
        return self.time[0]

    def later(self, **span: float) -> None:
        """Let time pass."""
        self.time[0] += timedelta(**span)

    async def refresh(self) -> None:
        """Bring all stores up to date by fresh lists."""
        for store in self.ctx.stores.each():
            objects, version = await self.ctx.kube.list(store.kind)
            store.replace(objects, version)

    async def once(self, name: str) -> timedelta | None:
        """Refresh and reconcile one Instance; later retries are left to the caller."""
        await self.refresh()
        try:
            return await self.reconciler.reconcile(f"{self.namespace}/{name}")
        except RetryLater as later:
            return later.after

    async def until(self, name: str, done: Callable[[Instance], bool], times: int = 12) -> Instance:
        """Reconcile until the Instance is as wanted."""
        for _ in range(times):
            await self.once(name)
            found = await self.instance(name)
            if done(found):
                return found
        raise AssertionError(f"it did not get there: {found.status.to_wire()}")

    async def instance(self, name: str) -> Instance:
        return await self.admin.get(Instance, name, self.namespace)

    async def create(self, name: str = "ada", **spec: Any) -> Instance:
        """Create an Instance of this world's class."""
        wanted = {
            "className": f"class-{self.namespace}",
            "regionId": "here",
            "runtimeType": self.slug,
            **spec,
        }
        return await self.admin.create(
            Instance.model_validate(
                {"metadata": {"name": name, "namespace": self.namespace}, "spec": wanted}
            )
        )

    async def ready(self, name: str = "ada") -> Instance:
        """Create an Instance and bring it to Ready."""
        made = await self.create(name)
        await self.until(name, lambda i: server_id(i) is not None)
        await self.enrol((await self.instance(name)).spec.id or "")
        self.agents.healthy(made.metadata.uid, "1.0.0", self.digest)
        return await self.until(name, is_ready)

    async def enrol(self, instance_id: str) -> None:
        """Do what the API does when a server reports and enrols."""
        history = self.ctx.history
        await history.stages.record(
            instance_id, stage="bundle_installed", seq=4, level="info", message="in", at=self.now
        )
        assert await history.credentials.issue_key(
            instance_id,
            key_hash=instance_id.replace("-", "") * 2,
            public_key=PUBLIC_KEY,
            at=self.now,
        )

    async def publish(self, version: str = "1.0.0", *, ready: bool = True) -> Bundle:
        """Create a Bundle of this world's runtime, verified unless told otherwise."""
        name = f"runtime-{self.slug}-{version}"
        made = await self.admin.create(Bundle.model_validate(bundle(name, self.slug, version)))
        if ready:
            body = {"status": {"conditions": [condition("True", "Verified", self.now)]}}
            made = await self.admin.patch(Bundle, name, None, body, subresource="status")
        return made

    async def sell(self, bundle_name: str | None = None) -> InstanceClass:
        """Create this world's class."""
        spec = {
            "displayName": "Test",
            "provider": "local",
            "serverType": "small",
            "regions": {"here": "loopback"},
            "bundleName": bundle_name or f"runtime-{self.slug}-1.0.0",
        }
        body = {"metadata": {"name": f"class-{self.namespace}"}, "spec": spec}
        return await self.admin.create(InstanceClass.model_validate(body))


def bundle(name: str, slug: str, version: str) -> dict[str, Any]:
    digest = hashlib.sha256(slug.encode()).hexdigest()
    return {
        "metadata": {"name": name},
        "spec": {
            "component": "runtime",
            "slug": slug,
            "version": version,
            "artifact": {"uri": f"store:///sha256/{digest}", "sha256": digest, "sizeBytes": 10},
            "signature": {"keyId": "k", "value": "A" * 86 + "=="},
        },
    }


def condition(status: str, reason: str, now: datetime) -> dict[str, Any]:
    return {
        "type": READY,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": now.isoformat(),
    }


def is_ready(instance: Instance) -> bool:
    found = find(instance.status.conditions, READY)
    return found is not None and found.status == "True"


def server_id(instance: Instance) -> str | None:
    return instance.status.provider.server_id if instance.status.provider else None


def reason(instance: Instance, type_: str = READY) -> str | None:
    found = find(instance.status.conditions, type_)
    return found.reason if found else None


@asynccontextmanager
async def make_world(
    operator_kubeconfig: str, admin_kubeconfig: str, namespace: str, folder: Path
) -> AsyncIterator[World]:
    """Build a world in a tenant's namespace; its cluster-wide objects are named after it."""
    settings = OperatorSettings(
        database_url=f"sqlite+aiosqlite:///{folder}/history.db",
        artifacts_url=f"file://{folder}/artifacts",
        control_plane_key_file=folder / "key.pem",
        trusted_bundle_keys_file=folder / "trusted.json",
        agent_api_url="http://127.0.0.1:1",
        health_interval_seconds=0.2,
    )
    history = History(settings.database_url)
    await history.migrate()
    operator = await KubeClient.connect(operator_kubeconfig, field_manager="hydracore-operator")
    admin = await KubeClient.connect(admin_kubeconfig, field_manager="test")
    time = [datetime.now(UTC)]
    agents, artifacts = Agents(), Artifacts(folder / "artifacts")
    ctx = Context(
        settings=settings,
        kube=operator,
        history=history,
        artifacts=cast("Any", artifacts),
        agents=cast("Any", agents),
        key=ControlPlaneKey(Ed25519PrivateKey.generate()),
        trusted=TrustedKeys(()),
        stores=Stores(),
        now=lambda: time[0],
        epoch=lambda: 1,
    )
    provider = DoubleProvider(created_at=time[0])
    try:
        yield World(ctx, admin, namespace, provider, agents, artifacts, time)
    finally:
        await operator.close()
        await admin.close()
        await history.close()
