"""The time to live of actions on a real API server, with the operator's own rights."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hydracore_crds import InstanceAction, ObjectMeta
from hydracore_crds.instance_action import InstanceActionSpec
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import NotFound
from hydracore_operator.archive import ArchiveReconciler
from hydracore_operator.archive.actions import ActionArchiver
from hydracore_operator.archive.reconciler import archive_key
from tests.operator.actions.stand import Stand

pytestmark = pytest.mark.cluster


async def test_a_finished_action_of_rest_goes_and_one_of_a_person_stays(stand: Stand) -> None:
    spec = InstanceActionSpec(instance_name="ada", action="run-diagnostics")
    meta = ObjectMeta(name="rest", namespace=stand.namespace, labels={MANAGED_BY_LABEL: "api"})
    await stand.admin.create(InstanceAction(metadata=meta, spec=spec))
    theirs = await stand.ended("rest")
    await stand.action("run-diagnostics", "mine")
    mine = await stand.ended("mine")
    for ended in (theirs, mine):
        stand.ctx.stores.actions.upsert(ended)

    ctx = replace(stand.ctx, now=lambda: stand.now + timedelta(days=8))
    archive = ArchiveReconciler(ctx, {"instanceactions": ActionArchiver(ctx)})
    for ended in (theirs, mine):
        await archive.reconcile(archive_key(ended))

    with pytest.raises(NotFound):
        await stand.get("rest")
    assert (await stand.get("mine")).metadata.uid == mine.metadata.uid
    for ended in (theirs, mine):
        assert await stand.ctx.history.actions.get(ended.metadata.uid) is not None
