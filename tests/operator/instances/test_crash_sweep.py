"""A crash at every outgoing call, before it and after it, on the way up and on the way down.

The oracle is the provider's own ledger: never two servers for one Instance, none left at the end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from hydracore_crds import Instance
from hydracore_kube import NotFound
from hydracore_operator.instances import InstanceReconciler
from hydracore_operator.providers import Providers
from tests.operator.instances.trap import Crash, Moment, Trap
from tests.operator.instances.world import World, is_ready, server_id

pytestmark = [pytest.mark.cluster, pytest.mark.first]
MOST_CALLS = 60


def operator(world: World, trap: Trap | None) -> InstanceReconciler:
    """Start an operator process that has nothing in memory."""
    if trap is None:
        return InstanceReconciler(world.ctx, Providers({"local": world.provider}))
    ctx = replace(
        world.ctx,
        kube=cast("Any", trap.around(world.ctx.kube)),
        history=cast("Any", trap.around(world.ctx.history)),
    )
    return InstanceReconciler(ctx, Providers({"local": trap.around(world.provider)}))


async def live(world: World, name: str, number: int, moment: Moment) -> int:
    """One life from creation to deletion, with one crash; return the calls made until then."""
    trap = Trap(number, moment)
    reconciler = operator(world, trap)
    made = await world.create(name)
    world.agents.healthy(made.metadata.uid, "1.0.0", world.digest)
    asked_for_deletion = False
    for _ in range(25):
        await world.refresh()
        try:
            await reconciler.reconcile(f"{world.namespace}/{name}")
        except Crash:
            reconciler = operator(world, None)
        assert len(world.provider.ever.get(made.metadata.uid, [])) <= 1
        try:
            seen = await world.instance(name)
        except NotFound:
            assert asked_for_deletion
            break
        if server_id(seen) is not None and seen.status.agent_public_key is None:
            await enrol_once(world, made.metadata.uid)
        if is_ready(seen) and not asked_for_deletion:
            await world.admin.delete(Instance, name, world.namespace)
            asked_for_deletion = True
    else:
        raise AssertionError(f"call {number}, {moment}: it did not end: {seen.status.to_wire()}")
    assert world.provider.of(made.metadata.uid) == []
    history = world.ctx.history
    assert await history.tombstones.get(made.metadata.uid) is not None
    assert await history.credentials.get(made.metadata.uid) is None
    texts = [line.message for line in await history.provision_log.list(made.metadata.uid)]
    assert len(texts) == len(set(texts)), "a line was written twice"
    return trap.calls


async def enrol_once(world: World, instance_id: str) -> None:
    credential = await world.ctx.history.credentials.get(instance_id)
    if credential is not None and credential.key_hash is None:
        await world.enrol(instance_id)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_at_every_call(world: World, moment: Moment) -> None:
    for number in range(1, MOST_CALLS):
        calls = await live(world, f"i{number}", number, moment)
        if calls < number:  # a whole life without reaching the trap: all calls were tried
            assert number > 20
            return
    raise AssertionError("the number of calls is not bounded")
