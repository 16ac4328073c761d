"""The time to live and AlreadyExecuted on a real API server, with the operator's own rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_crds import Rollout
from hydracore_crds.base import find
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import NotFound
from hydracore_operator.archive import ArchiveReconciler, RolloutArchiver
from hydracore_operator.archive.reconciler import archive_key
from tests.operator.archive.archiving import later
from tests.operator.rollouts import builders
from tests.operator.rollouts.stand import Stand

pytestmark = pytest.mark.cluster


@pytest_asyncio.fixture
async def stand(
    namespace: str, admin_kubeconfig: str, operator_kubeconfig: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    async with Stand(namespace, admin_kubeconfig, operator_kubeconfig, tmp_path) as made:
        yield made


async def gone(stand: Stand, rollout: Rollout) -> None:
    """Wait until the rollout and, by the garbage collector, its targets are gone."""
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        try:
            await stand.fresh(rollout)
        except NotFound:
            if not await stand.targets():
                return
        assert asyncio.get_running_loop().time() < deadline, "the rollout or a target stays"
        await asyncio.sleep(0.05)


async def test_a_finished_rollout_of_rest_goes_with_its_targets(stand: Stand) -> None:
    await stand.prepare(instances=3, limit=3)
    operator = await stand.operator()
    made = builders.rollout(bundle=stand.bundle.metadata.name, namespace=stand.namespace)
    made.metadata.labels = {MANAGED_BY_LABEL: "api"}
    rollout = await stand.finished(await stand.admin.create(made), "succeeded")
    key = archive_key(rollout)
    ctx = later(operator, 8)
    archive = ArchiveReconciler(ctx, {"rollouts": RolloutArchiver(ctx)})
    await operator.stores.rollouts.ready.wait()
    assert await archive.reconcile(key) is None
    await gone(stand, rollout)
    archived = await stand.history.rollouts.get(rollout.metadata.uid)
    assert archived is not None
    assert [t.wire["status"]["state"] for t in archived.targets] == ["succeeded"] * 3
    assert "deletionTimestamp" not in archived.rollout["metadata"]

    again = await stand.finished(await stand.roll(), "cancelled")
    told = find(again.status.conditions, "Succeeded")
    assert told is not None
    assert (told.status, told.reason) == ("False", "AlreadyExecuted")
    assert rollout.metadata.uid in told.message
    assert await stand.targets() == []
    stand.once_each()
