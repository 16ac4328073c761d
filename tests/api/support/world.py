"""A small world for API tests: the app, its services, tenants, and objects as the operator would
write them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
from fastapi import FastAPI

from hydracore_agentclient import AgentClient, ControlPlaneKey
from hydracore_api.app import create_app
from hydracore_api.auth.authenticator import KeyAuthenticator
from hydracore_api.auth.keys import create_api_key
from hydracore_api.services import Services
from hydracore_api.settings import Settings
from hydracore_api.watch import WatchCache
from hydracore_artifacts.signing import TrustedKeys
from hydracore_artifacts.store import ArtifactStore
from hydracore_crds import (
    Bundle,
    Condition,
    Instance,
    InstanceAction,
    InstanceClass,
    ObjectMeta,
    OwnerReference,
    Rollout,
    RolloutTarget,
)
from hydracore_crds.base import API_VERSION
from hydracore_crds.bundle import bundle_name
from hydracore_crds.names import TENANT_LABEL
from hydracore_crds.rollout_target import target_name
from hydracore_history import History
from hydracore_kube import KubeClient, Namespace
from tests.api.support.fake_kube import FakeKube
from tests.api.support.files import SECRET, make_settings

ALL_SCOPES = ("instances:*",)
START = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **delta: float) -> None:
        self.at += timedelta(**delta)


@dataclass
class World:
    settings: Settings
    services: Services
    kube: FakeKube
    app: FastAPI
    client: httpx.AsyncClient
    clock: Clock
    _keys: dict[Any, str] = field(default_factory=dict)

    @property
    def history(self) -> History:
        return self.services.history

    # ---- tenants and keys ------------------------------------------------------------------
    def tenant(self, name: str, tenant_id: str | None = None) -> str:
        labels = {TENANT_LABEL: tenant_id or name}
        self.kube.put(Namespace(metadata=ObjectMeta(name=name, labels=labels)))
        return name

    async def key(
        self,
        tenant: str = "acme",
        *,
        scopes: tuple[str, ...] = ALL_SCOPES,
        admin: bool = True,
        tenant_wide: bool = False,
    ) -> dict[str, str]:
        wanted = (tenant, scopes, admin, tenant_wide)
        if wanted not in self._keys:
            _, self._keys[wanted] = await create_api_key(
                self.history,
                SECRET,
                tenant_id=tenant,
                namespace=tenant,
                name="test",
                scopes=scopes,
                admin=admin,
                tenant_wide=tenant_wide,
                created_by="tests",
                at=self.clock(),
            )
        return {"X-Api-Key": self._keys[wanted]}

    async def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        chosen = headers if headers is not None else await self.key()
        return await self.client.request(method, path, headers=chosen, **more)

    # ---- objects ---------------------------------------------------------------------------
    def instance_class(self, name: str = "small") -> InstanceClass:
        spec = {
            "displayName": "Small",
            "provider": "local",
            "serverType": "local-1",
            "regions": {"eu-1": "loop", "eu-2": "loop"},
            "bundleName": "runtime-expressclaw-1.0.0",
        }
        return self.kube.put(
            InstanceClass.model_validate({"metadata": {"name": name}, "spec": spec})
        )

    def bundle(
        self, version: str, *, ready: bool = True, slug: str = "expressclaw", **spec: Any
    ) -> Bundle:
        component = spec.pop("component", "runtime")
        digest = hashlib.sha256(f"{component}{slug}{version}".encode()).hexdigest()
        wire = {
            "metadata": {"name": bundle_name(component, slug, version)},
            "spec": {
                "component": component,
                "slug": slug,
                "version": version,
                "artifact": {"uri": f"store:///sha256/{digest}", "sha256": digest, "sizeBytes": 9},
                "signature": {"keyId": "k", "value": "A" * 86 + "=="},
                "changelog": f"what is new in {version}",
                **spec,
            },
            "status": {"conditions": [condition("Ready", true=ready)]},
        }
        return self.kube.put(Bundle.model_validate(wire))

    def instance(
        self, name: str, tenant: str = "acme", *, status: dict[str, Any] | None = None, **spec: Any
    ) -> Instance:
        wire = {
            "metadata": {
                "name": name,
                "namespace": tenant,
                "finalizers": ["hydracore.io/operator"],
            },
            "spec": {
                "id": str(uuid.uuid4()),
                "className": "small",
                "regionId": "eu-1",
                **spec,
            },
            "status": RUNNING | {"hostname": f"{name}.local"} if status is None else status,
        }
        return self.kube.put(Instance.model_validate(wire))

    def rollout(
        self, name: str, tenant: str = "acme", *, state: str | None = None, **spec: Any
    ) -> Rollout:
        wire = {
            "metadata": {
                "name": name,
                "namespace": tenant,
                "finalizers": ["hydracore.io/operator"],
            },
            "spec": {"bundleName": "runtime-expressclaw-1.1.0", "scope": "fleet", **spec},
            "status": {"state": state} if state else {},
        }
        return self.kube.put(Rollout.model_validate(wire))

    def target(
        self, rollout: Rollout, order: int, instance: Instance, state: str = "queued", **status: Any
    ) -> RolloutTarget:
        name = target_name(rollout.metadata.name, order)
        owner = OwnerReference(
            api_version=API_VERSION,
            kind="Rollout",
            name=rollout.metadata.name,
            uid=rollout.metadata.uid,
        )
        wire = {
            "metadata": {
                "name": name,
                "namespace": rollout.metadata.namespace,
                "ownerReferences": [owner.to_wire()],
            },
            "spec": {
                "rolloutName": rollout.metadata.name,
                "instanceName": instance.metadata.name,
                "instanceId": instance.spec.id,
                "bundleHash": "a" * 64,
                "order": order,
            },
            "status": {"state": state, "attempt": 1, **status},
        }
        return self.kube.put(RolloutTarget.model_validate(wire))

    def action(
        self,
        name: str,
        instance: Instance,
        action: str = "power-cycle",
        *,
        metadata: dict[str, Any] | None = None,
        **status: Any,
    ) -> InstanceAction:
        wire = {
            "metadata": {
                "name": name,
                "namespace": instance.metadata.namespace,
                **(metadata or {}),
            },
            "spec": {"instanceName": instance.metadata.name, "action": action},
            "status": status,
        }
        return self.kube.put(InstanceAction.model_validate(wire))

    def report(self, rollout: Rollout, **status: Any) -> Rollout:
        """Write a rollout's status as the operator does; counts from its targets."""
        targets = self.services.cache.targets_by_rollout.get(
            rollout.metadata.namespace or "", rollout.metadata.name
        )
        names = {"in_progress": "inProgress"}
        counts: dict[str, int] = {"total": len(targets)}
        for one in targets:
            state = one.status.state or "queued"
            counts[names.get(state, state)] = counts.get(names.get(state, state), 0) + 1
        body = {"status": {"counts": counts, "targetsCreated": True, **status}}
        return self.kube.change(Rollout, rollout.metadata.name, rollout.metadata.namespace, body)


RUNNING: dict[str, Any] = {
    "state": "running",
    "provisioningStage": "healthy",
    "healthStatus": "healthy",
    "ipAddress": "127.0.0.1",
    "agentUrl": "http://127.0.0.1:9",
    "agentPublicKey": "A" * 43 + "=",
    "bootstrap": {"stage": "healthy", "seq": 5},
    "runtime": {"version": "1.0.0", "bundleHash": "b" * 64},
    "provider": {"name": "local", "serverId": "s-1", "serverType": "local-1"},
}


def condition(type_: str, *, true: bool) -> dict[str, Any]:
    return Condition(
        type=type_,
        status="True" if true else "False",
        reason="Verified" if true else "DigestMismatch",
        last_transition_time=START,
    ).to_wire()


async def make_world(folder: Path, **settings: Any) -> World:
    found = make_settings(folder, **settings)
    clock = Clock()
    cache = WatchCache()
    kube = FakeKube(cache)
    history = History(found.database_url, timeout_seconds=5)
    await history.migrate()
    key = ControlPlaneKey.from_pem(found.control_plane_key_file)
    services = Services(
        settings=found,
        kube=cast("KubeClient", kube),
        cache=cache,
        history=history,
        agents=AgentClient(key, subject="api", now=lambda: datetime.now(UTC)),
        artifacts=ArtifactStore.of(found),
        control_plane_key=key,
        trusted_keys=TrustedKeys.load(found.trusted_bundle_keys_file),
        authenticator=KeyAuthenticator(history.keys, SECRET, now=clock),
        now=clock,
    )
    app = create_app(found, services=services)
    app.state.services = services
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("198.51.100.7", 1))
    client = httpx.AsyncClient(transport=transport, base_url="http://api")
    return World(found, services, kube, app, client, clock)


async def close_world(world: World) -> None:
    await world.client.aclose()
    await world.services.authenticator.close()
    await world.services.agents.close()
    await world.history.close()
