"""Servers without an owner: collected after the grace time, never all of them at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from hydracore_crds import Instance
from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_operator.instances import Collector
from hydracore_operator.providers import Providers
from tests.operator.instances.trap import Crash, Moment, Trap
from tests.operator.instances.world import World, server_id

pytestmark = pytest.mark.cluster


async def strip(world: World, name: str) -> None:
    """Take the finalizer off by hand and delete, while no operator looks."""
    await world.admin.patch(Instance, name, world.namespace, {"metadata": {"finalizers": None}})
    await world.admin.delete(Instance, name, world.namespace)


def collector(world: World) -> Collector:
    return Collector(world.ctx, _providers(world.provider))


async def test_an_orphan_goes_after_the_grace_time(world: World) -> None:
    kept = await world.ready("kept")
    lost = await world.ready("lost")
    stranger = world.provider.add_stranger("stranger")
    await strip(world, "lost")
    sweeper = collector(world)
    assert await sweeper.sweep() == []
    world.later(minutes=4)
    assert await sweeper.sweep() == []
    world.later(minutes=2)
    assert await sweeper.sweep() == [server_id(lost)]
    assert set(world.provider.servers) == {server_id(kept), stranger.id}
    assert await world.ctx.history.credentials.get(lost.spec.id or "") is None
    assert await world.ctx.history.credentials.get(kept.spec.id or "") is not None


async def test_a_restarted_operator_counts_the_grace_time_anew(world: World) -> None:
    await world.ready()
    await strip(world, "ada")
    await collector(world).sweep()
    world.later(minutes=9)
    assert await collector(world).sweep() == []
    assert len(world.provider.servers) == 1


async def test_most_servers_at_once_look_like_a_lost_api_server(world: World) -> None:
    for name in ("a", "b", "c", "d"):
        await world.ready(name)
    for name in ("a", "b", "c"):
        await strip(world, name)
    sweeper = collector(world)
    await sweeper.sweep()
    world.later(minutes=6)
    assert await sweeper.sweep() == []
    assert len(world.provider.servers) == 4


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_operator_that_dies_while_it_collects_leaves_nothing_behind(
    world: World, moment: Moment
) -> None:
    """The next one finds the rest; it has nothing but the server to go by."""
    for number in range(1, 20):
        instance_id = await _orphan(world, f"i{number}")
        trap = Trap(number, moment)
        dying = replace(
            world.ctx,
            history=cast("Any", trap.around(world.ctx.history)),
            artifacts=cast("Any", trap.around(world.ctx.artifacts)),
        )
        died = await _sweep(world, Collector(dying, _providers(trap.around(world.provider))))
        await _sweep(world, collector(world))
        assert world.provider.of(instance_id) == []
        assert await world.ctx.history.credentials.get(instance_id) is None
        assert [o async for o in world.ctx.artifacts.instances.objects(instance_id)] == []
        if not died:  # all calls were tried
            assert number > 5
            return
    raise AssertionError("the number of calls is not bounded")


async def test_an_orphan_that_cannot_be_deleted_keeps_no_other(world: World) -> None:
    first, second = await _orphan(world, "a"), await _orphan(world, "b")
    (stuck,) = world.provider.of(first)
    (other,) = world.provider.of(second)
    stuck.labels[INSTANCE_ID_LABEL] = "not an id"
    sweeper = collector(world)
    await sweeper.sweep()
    world.later(minutes=6)
    assert await sweeper.sweep() == [other.id]
    assert set(world.provider.servers) == {stuck.id}


def _providers(provider: Any) -> Providers:
    return Providers({"local": provider})


async def _orphan(world: World, name: str) -> str:
    """Make an instance with a server and an object in the store; take its Instance away."""
    lost = await world.ready(name)
    assert lost.spec.id is not None
    await world.ctx.artifacts.instances.put(lost.spec.id, "notes", b"kept with the instance")
    await strip(world, name)
    return lost.spec.id


async def _sweep(world: World, sweeper: Collector) -> bool:
    """Sweep past the grace time; whether the operator died."""
    try:
        await sweeper.sweep()
        world.later(minutes=6)
        await sweeper.sweep()
    except Crash:
        return True
    return False
