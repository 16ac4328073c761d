"""Loops side by side, and how the operator wires them."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from hydracore_operator.health import HealthLoop, Together
from hydracore_operator.wiring import default_factories
from tests.operator.instances.world import World


async def test_where_one_loop_fails_all_end() -> None:
    ended: list[str] = []

    class Endless:
        async def run(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("endless")

    class Broken:
        async def run(self) -> None:
            raise RuntimeError("broken")

    with pytest.raises(ExceptionGroup) as caught:
        await Together(Endless(), Broken()).run()
    assert [str(e) for e in caught.value.exceptions] == ["broken"]
    assert ended == ["endless"]


@pytest.mark.cluster
async def test_the_operators_loop_and_reconcile_share_their_verdicts(world: World) -> None:
    factories = default_factories()
    together = cast("Any", factories.health(world.ctx))
    (loop,) = [found for found in together._loops if isinstance(found, HealthLoop)]
    reconciler = cast("Any", factories.instances(world.ctx))
    assert loop._verdicts is reconciler._verdicts
