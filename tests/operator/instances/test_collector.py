"""Servers without an owner: collected after the grace time, never all of them at once."""

from __future__ import annotations

import pytest

from hydracore_crds import Instance
from hydracore_operator.instances import Collector
from hydracore_operator.providers import Providers
from tests.operator.instances.world import World, server_id

pytestmark = pytest.mark.cluster


async def strip(world: World, name: str) -> None:
    """Take the finalizer off by hand and delete, while no operator looks."""
    await world.admin.patch(Instance, name, world.namespace, {"metadata": {"finalizers": None}})
    await world.admin.delete(Instance, name, world.namespace)


def collector(world: World) -> Collector:
    return Collector(world.ctx, Providers({"local": world.provider}))


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
