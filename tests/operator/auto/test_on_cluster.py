"""A bundle that nobody asked for, on a real API server and with the operator's own rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_crds import Bundle, Rollout, UpdatePolicy
from hydracore_crds.base import find
from hydracore_crds.names import MANAGED_BY_LABEL, RELEASE_QUARANTINE_ANNOTATION
from hydracore_operator.auto import AutoReconciler
from hydracore_operator.bundles.quarantine import settle_quarantine
from tests.operator.rollouts.stand import ClusterOperator, Stand
from tests.operator.rollouts.world import eventually

pytestmark = pytest.mark.cluster


@pytest_asyncio.fixture
async def stand(
    namespace: str, admin_kubeconfig: str, operator_kubeconfig: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    async with Stand(namespace, admin_kubeconfig, operator_kubeconfig, tmp_path) as made:
        yield made


async def look(operator: ClusterOperator, stand: Stand) -> list[Rollout]:
    """Look as a new operator would; return the tenant's rollouts."""
    await AutoReconciler(operator.ctx).reconcile(stand.namespace)
    return (await stand.admin.list(Rollout, stand.namespace))[0]


async def test_a_bad_bundle_comes_to_one_instance_and_then_into_quarantine(stand: Stand) -> None:
    await stand.prepare(instances=3, limit=3)
    for agent in stand.agents:
        agent.faults.outcome = "rolled_back"
    operator = await stand.operator()
    assert await look(operator, stand) == []
    auto = {"spec": {"runtime": "auto"}}
    policy = await stand.admin.patch(UpdatePolicy, "default", stand.namespace, auto)
    version = policy.metadata.resource_version
    stored = operator.stores.policies
    await eventually(
        lambda: (
            (found := stored.get(policy.key)) is not None
            and found.metadata.resource_version == version
        ),
        lambda: "the policy",
    )
    (rollout,) = await look(operator, stand)
    assert rollout.metadata.labels == {MANAGED_BY_LABEL: "operator"}
    assert rollout.spec.initiated_by == "auto"
    await stand.finished(rollout, "paused")
    assert len(stand.fleet.oracle.accepted) == 1

    halted = operator.stores.rollouts
    await eventually(
        lambda: (found := halted.get(rollout.key)) is not None and found.status.state == "paused",
        lambda: "the halt",
    )
    bundle, _ = await settle_quarantine(operator.ctx, await fresh(stand))
    shut = find(bundle.status.conditions, "Quarantined")
    assert shut is not None
    assert (shut.status, shut.reason) == ("True", "RolloutHalted")
    assert len(await look(operator, stand)) == 1

    now = datetime.now(UTC).isoformat()
    word = {"metadata": {"annotations": {RELEASE_QUARANTINE_ANNOTATION: now}}}
    await stand.admin.patch(Bundle, bundle.metadata.name, None, word)
    bundle, _ = await settle_quarantine(operator.ctx, await fresh(stand))
    assert find((await fresh(stand)).status.conditions, "Quarantined") == find(
        bundle.status.conditions, "Quarantined"
    )
    assert bundle.status.conditions[-1].reason == "Released"


async def fresh(stand: Stand) -> Bundle:
    return await stand.admin.get(Bundle, stand.bundle.metadata.name)
