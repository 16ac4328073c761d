"""Orders that stand nowhere in the ledger get a slot, if they are still out."""

from __future__ import annotations

from hydracore_operator.rollouts.adopt import adopt
from hydracore_operator.rollouts.tenant import Tenant
from tests.operator.rollouts.world import Operator, World


async def _deaf_while_one_runs(world: World) -> tuple[Operator, Tenant]:
    """Return an operator whose last news is that the only target is in progress."""
    world.agent(0).hold = True
    world.roll()
    operator = world.operator()
    await world.until(lambda: world.states() == ["in_progress"], "one in progress")
    await operator.kill()
    world.kube.deaf = True
    tenant = operator.engine._new_tenant("acme", world.namespace.metadata.uid, 1)
    return operator, tenant


async def test_an_order_whose_slot_was_lost_gets_it_back() -> None:
    async with World(instances=1) as world:
        _, tenant = await _deaf_while_one_runs(world)
        before = world.entries()
        world.kube.raw.clear()
        await tenant.ledger.load()
        await adopt(tenant)
        assert world.entries().keys() == before.keys()
        assert [entry.epoch for entry in world.entries().values()] == [0]


async def test_an_order_that_has_ended_unheard_gets_none() -> None:
    """Another operator stored its outcome and freed its slot; this one's watch is late."""
    async with World(instances=1) as world:
        operator, tenant = await _deaf_while_one_runs(world)
        (target,) = world.targets()
        ended = target.status.model_copy(update={"state": "succeeded"})
        world.kube.raw.clear()
        await world.kube.update_status(target, ended)
        assert operator.stores.targets.get(target.key) != world.targets()[0]
        await tenant.ledger.load()
        await adopt(tenant)
        assert world.entries() == {}
        # And it has heard of it now.
        known = operator.stores.targets.get(target.key)
        assert known is not None
        assert known.status.state == "succeeded"
