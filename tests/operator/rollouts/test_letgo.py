"""Archiving on the real API server, where a rollout's targets vanish right after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hydracore_crds import Rollout
from hydracore_crds.names import FINALIZER
from hydracore_kube import NotFound
from hydracore_operator.rollouts import letgo
from tests.operator.rollouts.stand import Stand

pytestmark = pytest.mark.cluster


@pytest_asyncio.fixture
async def stand(
    namespace: str, admin_kubeconfig: str, operator_kubeconfig: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    async with Stand(namespace, admin_kubeconfig, operator_kubeconfig, tmp_path) as made:
        yield made


async def test_an_operator_that_knows_late_of_the_end_archives_nothing_less(stand: Stand) -> None:
    """The answer to the finalizer's release leaves the version as it was, so the store is behind
    until the watch tells; the garbage collector may have taken targets by then."""
    await stand.prepare(instances=3, limit=3)
    rollout = await stand.roll()
    operator = await stand.operator()
    await stand.finished(rollout, "succeeded")
    await stand.slots_empty()
    await operator.kill()
    tenant = await operator.engine._tenant(stand.namespace)
    assert tenant is not None
    await stand.admin.delete(Rollout, rollout.metadata.name, stand.namespace)
    late = await stand.fresh(rollout)
    assert FINALIZER in late.metadata.finalizers
    operator.stores.rollouts.upsert(late)

    assert await letgo._let_go(tenant, rollout.metadata.name)
    with pytest.raises(NotFound):
        await stand.fresh(rollout)
    async with asyncio.timeout(30):
        while await stand.targets():  # noqa: ASYNC110 - the collector is another process
            await asyncio.sleep(0.05)
    assert operator.stores.rollouts.get(late.key) is None, "it would be let go once more"
    operator.stores.rollouts._dead.clear()
    operator.stores.rollouts.upsert(late)  # as in another operator whose watch is late
    assert await letgo._let_go(tenant, rollout.metadata.name)

    archived = await stand.history.rollouts.get(rollout.metadata.uid)
    assert archived is not None
    assert len(archived.targets) == 3
