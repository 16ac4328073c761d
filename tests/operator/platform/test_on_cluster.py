"""A freeze on a real API server, with the operator's own rights and agents that count."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_crds import PlatformPolicy
from hydracore_crds.base import find
from hydracore_devcluster.client import Api
from hydracore_kube import NotFound
from hydracore_operator.platform import PlatformReconciler
from hydracore_operator.rollouts.allotments import EPOCH_ANNOTATION, PLATFORM_LEDGER
from tests.conftest import tenant
from tests.core.rollouts.builders import platform
from tests.operator.rollouts.stand import ClusterOperator, Stand
from tests.operator.rollouts.world import eventually

pytestmark = pytest.mark.cluster


@pytest_asyncio.fixture
async def stand(
    namespace: str, admin_kubeconfig: str, operator_kubeconfig: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    async with Stand(namespace, admin_kubeconfig, operator_kubeconfig, tmp_path) as made:
        try:
            yield made
        finally:
            with contextlib.suppress(NotFound):
                await made.admin.delete(PlatformPolicy, "default", None)


async def known(operator: ClusterOperator, policy: PlatformPolicy) -> None:
    """Wait until the operator has heard of the policy as it is stored."""
    version = policy.metadata.resource_version

    def heard() -> bool:
        found = operator.stores.platform.get("default")
        return found is not None and found.metadata.resource_version == version

    await eventually(heard, lambda: "the platform's policy")


async def test_a_frozen_platform_says_so_and_starts_nothing(stand: Stand) -> None:
    await stand.prepare(instances=2, limit=2)
    operator = await stand.operator()
    await known(operator, await stand.admin.create(platform("an incident")))
    rollout = await stand.roll(override_window=True)
    reconciler = PlatformReconciler(operator.ctx)
    assert await reconciler.reconcile("default") is None
    stored = await stand.admin.get(PlatformPolicy, "default")
    frozen = find(stored.status.conditions, "Frozen")
    assert frozen is not None
    assert (frozen.status, frozen.message) == ("True", "the platform is frozen: an incident")
    assert stored.status.in_flight == 0

    def says_so(found: object) -> bool:
        conditions = found.status.conditions  # type: ignore[attr-defined]
        return any(c.reason == "PlatformFrozen" for c in conditions)

    await stand.until(says_so, rollout, "the freeze")
    await asyncio.sleep(0.5)
    assert stand.fleet.oracle.accepted == []
    await stand.admin.patch(PlatformPolicy, "default", None, {"spec": {"freeze": None}})
    await stand.finished(rollout, "succeeded")
    stand.once_each()


@pytest_asyncio.fixture
async def neighbour(admin_api: Api, namespace: str) -> AsyncIterator[str]:
    """The namespace of another tenant."""
    async with tenant(admin_api, f"{namespace}-b") as name:
        yield name


async def test_two_operators_keep_the_cap_over_two_tenants(stand: Stand, neighbour: str) -> None:
    await stand.prepare(instances=8, limit=4)
    await stand.neighbour(neighbour, instances=8, limit=4)
    await stand.admin.create(platform(limit=5))
    for epoch in (1, 2):
        operator = await stand.operator(epoch=epoch, run=False, all_tenants=True)
        assert operator.stores.platform.get("default") is not None
        operator.run()
    rollouts = [await stand.roll(), await stand.roll(namespace=neighbour)]
    for rollout in rollouts:
        await stand.finished(rollout, "succeeded")
    assert stand.fleet.oracle.most_in_flight <= 5
    stand.once_each()
    ledger = await stand.admin.get_raw(("v1", "configmaps", "hydracore-system", PLATFORM_LEDGER))
    assert ledger["metadata"]["annotations"][EPOCH_ANNOTATION] == "2"
    held = [json.loads(text) for text in ledger["data"].values()]
    assert {found["namespace"] for found in held} <= {stand.namespace, neighbour}
    assert sum(found["slots"] for found in held) <= 5
