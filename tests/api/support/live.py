"""Two replicas of the API with the real API server, under its own service account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hydracore_api.app import create_app
from hydracore_api.auth.keys import create_api_key
from hydracore_api.services import Services
from hydracore_api.settings import Settings
from hydracore_crds import Bundle, Instance, InstanceClass
from hydracore_crds.base import set_condition
from hydracore_history import History
from hydracore_kube import AlreadyExists, KubeClient
from tests.api.support.files import SECRET, make_settings
from tests.api.support.world import START

CLASS = "api-tests"
SLUG = "apitests"
FLEET = "/v1/instances/fleet/runtime/rollouts"


@dataclass
class Replica:
    """One API process's worth of app, its client and its services."""

    client: httpx.AsyncClient
    services: Services


@dataclass
class Live:
    replicas: list[Replica]
    admin: KubeClient
    namespace: str
    headers: dict[str, str]
    history: History

    async def call(self, method: str, path: str, *, replica: int = 0, **more: Any) -> Any:
        chosen = self.replicas[replica].client
        return await chosen.request(method, path, headers=self.headers, **more)

    def be_patient(self) -> None:
        """Have a rollout's POST wait for its targets as long as a busy machine may need."""
        for replica in self.replicas:
            patient = {"rollout_wait_seconds": 20.0}
            replica.services.settings = replica.services.settings.model_copy(update=patient)

    async def until(self, seen: Any) -> None:
        """Wait until every replica's cache shows something."""
        for replica in self.replicas:
            cache = replica.services.cache
            assert await cache.until(lambda cache=cache: bool(seen(cache)), 20)  # type: ignore[misc]


@asynccontextmanager
async def replica(settings: Settings) -> AsyncIterator[Replica]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        services: Services = app.state.services
        async with asyncio.timeout(30):
            for store in services.cache.stores:
                await store.ready.wait()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield Replica(client, services)


@pytest.fixture
async def live(
    api_kubeconfig: str, admin_kubeconfig: str, namespace: str, tmp_path: Path
) -> AsyncIterator[Live]:
    settings = make_settings(tmp_path, kubeconfig=api_kubeconfig)
    history = History(settings.database_url)
    await history.migrate()
    _, key = await create_api_key(
        history,
        SECRET,
        tenant_id=namespace,
        namespace=namespace,
        name="test",
        scopes=["instances:*"],
        admin=True,
        tenant_wide=True,
        created_by="tests",
        at=START,
    )
    admin = await KubeClient.connect(admin_kubeconfig, field_manager="tests")
    await publish(admin)
    async with replica(settings) as one, replica(settings) as two:
        found = Live([one, two], admin, namespace, {"X-Api-Key": key}, history)
        await found.until(lambda cache: cache.classes.get(CLASS) and cache.bundles.all())
        yield found
    await admin.close()
    await history.close()


async def publish(admin: KubeClient) -> None:
    """Make the class and a bundle that is ready."""
    class_ = {
        "displayName": "API tests",
        "provider": "local",
        "serverType": "local-1",
        "regions": {"eu-1": "loop"},
        "bundleName": f"runtime-{SLUG}-1.0.0",
    }
    bundle = {
        "component": "runtime",
        "slug": SLUG,
        "version": "1.1.0",
        "artifact": {"uri": f"store:///sha256/{'a' * 64}", "sha256": "a" * 64, "sizeBytes": 9},
        "signature": {"keyId": "k", "value": "A" * 86 + "=="},
    }
    name = f"runtime-{SLUG}-1.1.0"
    for obj in (
        InstanceClass.model_validate({"metadata": {"name": CLASS}, "spec": class_}),
        Bundle.model_validate({"metadata": {"name": name}, "spec": bundle}),
    ):
        try:
            await admin.create(obj)
        except AlreadyExists:
            continue
    stored = await admin.get(Bundle, name)
    ready = set_condition(
        stored.status.conditions,
        "Ready",
        "True",
        reason="Verified",
        message="",
        now=START,
        generation=1,
    )
    await admin.update_status(stored, stored.status.model_copy(update={"conditions": ready}))


async def status(live: Live, obj: Any, **fields: Any) -> Any:
    """Write a status as the operator would."""
    return await live.admin.patch(
        type(obj), obj.metadata.name, live.namespace, {"status": fields}, subresource="status"
    )


async def running(live: Live, name: str) -> Instance:
    made = await live.admin.create(
        Instance.model_validate(
            {
                "metadata": {"name": name, "namespace": live.namespace},
                "spec": {"className": CLASS, "regionId": "eu-1", "runtimeType": SLUG},
            }
        )
    )
    done = await status(
        live, made, state="running", agentUrl="http://127.0.0.1:9", healthStatus="healthy"
    )
    await live.until(
        lambda cache: (found := cache.instances.get(made.key)) and found.status.state == "running"
    )
    assert isinstance(done, Instance)
    return done
