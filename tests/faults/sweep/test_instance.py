"""An Instance survives the operator's death at every single outgoing call, on its way up and down.

The operator works on one Instance in one thread of calls, so that a death before call n + 1 leaves
the same world behind as one after call n: what is swept is the moment after each call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from tests.faults.sweep.instance import InstanceLife, RealAgentLife
from tests.faults.sweep.sweep import Stage

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.sweep, pytest.mark.fault(1)]
L = TypeVar("L", bound=InstanceLife)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def life(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[InstanceLife]:
    async with _ready(InstanceLife, stage, tmp_path_factory.mktemp("instance")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def real_life(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RealAgentLife]:
    async with _ready(RealAgentLife, stage, tmp_path_factory.mktemp("real")) as made:
        yield made


@asynccontextmanager
async def _ready(kind: type[L], stage: Stage, folder: Path) -> AsyncIterator[L]:
    made = kind(stage.plane, folder, stage.provider_ledger)
    await stage.with_operator(made, made.prepare)
    try:
        yield made
    finally:
        await made.close_agent()
        await made.history.close()


async def test_killed_after_every_call(stage: Stage, life: InstanceLife, first: int) -> None:
    swept = await stage.sweep(life, "after", first=first)
    assert first > 1 or swept.complete, str(swept)


async def test_killed_after_each_kind_of_call_with_real_agents(
    stage: Stage, real_life: RealAgentLife
) -> None:
    swept = await stage.sample(real_life, "after")
    assert swept.fatal, str(swept)


async def test_then_it_rests(stage: Stage, real_life: RealAgentLife) -> None:
    await stage.rest(real_life)
