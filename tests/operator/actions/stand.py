"""Real API server and SQL, one running Instance, an agent and a provider with ledgers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import ControlPlaneKey
from hydracore_artifacts.signing import TrustedKeys
from hydracore_crds import Instance, InstanceAction, RolloutTarget
from hydracore_crds.base import find
from hydracore_history import History
from hydracore_kube import Conflict, KubeClient
from hydracore_operator.actions import ActionReconciler
from hydracore_operator.context import Context, Stores
from hydracore_operator.providers import Providers
from hydracore_operator.settings import OperatorSettings
from tests.operator.actions.agent import FakeAgent
from tests.operator.providers.double import DoubleProvider

KEY = "A" * 43 + "="


class Stand:
    """One operator at a time, and what it works on."""

    def __init__(self, ctx: Context, admin: KubeClient, namespace: str) -> None:
        self.ctx = ctx
        self.admin = admin
        self.namespace = namespace
        self.agent = FakeAgent()
        self.provider = DoubleProvider(now=lambda: self.now)
        self.offset = timedelta(0)
        self.epoch = 0
        self.restart()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def restart(
        self, kube: Any = None, agents: Any = None, history: Any = None, provider: Any = None
    ) -> None:
        """Begin anew as the next leader would: nothing remembered."""
        self.epoch += 1
        epoch = self.epoch
        self.ctx = replace(
            self.ctx,
            stores=Stores(),
            agents=cast("Any", agents or self.agent),
            kube=kube or self.ctx.kube,
            history=history or self.ctx.history,
            now=lambda: self.now,
            epoch=lambda: epoch,
        )
        self.reconciler = ActionReconciler(
            self.ctx, Providers({"local": provider or self.provider})
        )

    # ---- objects -----------------------------------------------------------------------------
    async def instance(self, name: str = "ada", **status: Any) -> Instance:
        """Create an Instance that runs."""
        server = await self.provider.power_on(self.provider.add_stranger(name).id)
        spec = {"className": "c", "regionId": "r", "agentName": name.title()}
        made = await self.admin.create(
            Instance.model_validate(
                {"metadata": {"name": name, "namespace": self.namespace}, "spec": spec}
            )
        )
        wanted = {
            "state": "running",
            "agentUrl": "http://127.0.0.1:9",
            "agentPublicKey": KEY,
            "provider": {"name": "local", "serverId": server.id},
            **status,
        }
        place = (Instance, name, self.namespace)
        return await self.admin.patch(*place, {"status": wanted}, subresource="status") or made

    async def action(
        self, what: str = "power-cycle", name: str = "act", instance: str = "ada", **spec: Any
    ) -> InstanceAction:
        wanted = {"instanceName": instance, "action": what, **spec}
        metadata = {"name": name, "namespace": self.namespace}
        return await self.admin.create(
            InstanceAction.model_validate({"metadata": metadata, "spec": wanted})
        )

    async def get(self, name: str = "act") -> InstanceAction:
        return await self.admin.get(InstanceAction, name, self.namespace)

    async def push(self, state: str) -> None:
        """Have a rollout's target of the Instance in a state."""
        ada = await self.admin.get(Instance, "ada", self.namespace)
        spec = {
            "rolloutName": "r",
            "instanceName": "ada",
            "instanceId": ada.metadata.uid,
            "bundleHash": "ab" * 32,
            "order": 0,
        }
        place = (RolloutTarget, "r-00000", self.namespace)
        metadata = {"name": "r-00000", "namespace": self.namespace}
        known, _ = await self.admin.list(RolloutTarget, self.namespace)
        if not known:
            target = RolloutTarget.model_validate({"metadata": metadata, "spec": spec})
            await self.admin.create(target)
        await self.admin.patch(*place, {"status": {"state": state}}, subresource="status")

    # ---- the operator ------------------------------------------------------------------------
    async def once(self, name: str = "act") -> InstanceAction:
        """List everything afresh, and reconcile once."""
        for store in self.ctx.stores.each():
            objects, version = await self.admin.list(store.kind)
            store.replace(objects, version)
        with contextlib.suppress(Conflict):  # the queue would come again
            await self.reconciler.reconcile(f"{self.namespace}/{name}")
        return await self.get(name)

    async def until(
        self, done: Callable[[InstanceAction], bool], name: str = "act", times: int = 12
    ) -> InstanceAction:
        for _ in range(times):
            found = await self.once(name)
            if done(found):
                return found
        raise AssertionError(f"it did not get there: {found.status.to_wire()}")

    async def ended(self, name: str = "act") -> InstanceAction:
        return await self.until(lambda a: a.status.state in {"succeeded", "failed"}, name)


def reason(action: InstanceAction) -> str | None:
    found = find(action.status.conditions, "Succeeded")
    return found.reason if found is not None else None


@asynccontextmanager
async def make_stand(
    operator_kubeconfig: str, admin_kubeconfig: str, namespace: str, folder: Path
) -> AsyncIterator[Stand]:
    """Build a stand in a tenant's namespace, with the Instance ``ada``."""
    settings = OperatorSettings(
        database_url=f"sqlite+aiosqlite:///{folder}/history.db",
        artifacts_url=f"file://{folder}/artifacts",
        control_plane_key_file=folder / "key.pem",
        trusted_bundle_keys_file=folder / "trusted.json",
        agent_api_url="http://127.0.0.1:1",
    )
    history = History(settings.database_url)
    await history.migrate()
    operator = await KubeClient.connect(operator_kubeconfig, field_manager="hydracore-operator")
    admin = await KubeClient.connect(admin_kubeconfig, field_manager="test")
    ctx = Context(
        settings=settings,
        kube=operator,
        history=history,
        artifacts=cast("Any", None),
        agents=cast("Any", None),
        key=ControlPlaneKey(Ed25519PrivateKey.generate()),
        trusted=TrustedKeys(()),
        stores=Stores(),
        now=lambda: datetime.now(UTC),
        epoch=lambda: 1,
    )
    try:
        made = Stand(ctx, admin, namespace)
        await made.instance()
        yield made
    finally:
        await operator.close()
        await admin.close()
        await history.close()
